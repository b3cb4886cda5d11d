import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { run } from "../../src/run/run.js";
import { starterJob } from "../../src/run/starter-job.js";
import { readStarterInput } from "../../src/run/starter.js";
import { validateJob } from "../../src/run/validate.js";
import { redisUrl } from "../support/redis-url.js";
import { tempFolder } from "../support/temp-folder.js";

/** The job that `init` writes for an input, in a folder with it. */
async function init(name: string, content: string | Buffer): Promise<{ cwd: string; job: string }> {
  const cwd = await tempFolder();
  await writeFile(join(cwd, name), content);
  const job = starterJob("job", name, await readStarterInput(join(cwd, name)), "job.yaml");
  await writeFile(join(cwd, "job.yaml"), job);
  return { cwd, job };
}

const german = "Nr;Text;Größe\n1;Schöne Grüße aus Köln;L\n2;Äpfel, Öl und Übermut;XL\n";
const chinese =
  "编号,客户留言\n1,耳机收到了，声音很好，物流也快，非常满意的一次购物体验\n2,左边的耳机用了一个星期就没有声音了，请尽快帮我换货\n";

describe("promptmill init writes a job that runs as it is", () => {
  it.each<[string, string, string | Buffer, string[]]>([
    [
      "a file of a Chinese Windows",
      "rows.csv",
      iconv.encode(chinese, "gb18030"),
      ["encoding: gb18030", "{{ 客户留言 }}", 'id: "编号"'],
    ],
    [
      "a file of a German Windows",
      "rows.csv",
      iconv.encode(german, "windows-1252"),
      ["encoding: windows-1252", 'delimiter: ";"', "id: Nr"],
    ],
    [
      "UTF-16 without a mark",
      "rows.csv",
      Buffer.from("id,text\n1,hello\n2,there\n", "utf16le"),
      ["encoding: utf-16le"],
    ],
    ["tabs", "rows.txt", "id\ttext\n1\thello, there\n2\tbye\n", ['delimiter: "\\t"', "{{ text }}"]],
    [
      "a target language",
      "rows.csv",
      "id,text,target_language\n1,hello,German\n2,bye,fr\n",
      ["model: qwen-mt-flash", 'target: "{{ target_language }}"', "source: auto", "column: translation"],
    ],
    [
      "languages under names of their own",
      "rows.csv",
      "id,text,Sprache\n1,hello,Deutsch\n2,bye,pt-BR\n",
      ["preset: translation", "Translate into {{ Sprache }}:\n\n    {{ text }}", "column: translation"],
    ],
    [
      "both languages",
      "rows.csv",
      "source_lang,lang,text\nen,de,hello\nen,fr,bye\n",
      ['source: "{{ source_lang }}"', 'target: "{{ lang }}"'],
    ],
    [
      "a column that is called body",
      "rows.csv",
      "id,subject,body\n1,hi,hello there\n",
      ["{{ body }}", "Other columns: {{ subject }}"],
    ],
    ["ids that are not unique", "rows.csv", "id,text\n1,hello\n1,there\n", ["# id: sku"]],
    ["rows without a text", "rows.csv", "id,text\n1,hello there\n2,\n", ["lenient: true"]],
    ["a column that is a word of Liquid", "rows.csv", "id,empty\n1,hello there\n", ['{{ row["empty"] }}']],
    [
      "a column with quotes",
      "rows.csv",
      'id,"the ""text"""\n1,hello there\n',
      ['{{ row["the \\"text\\""] }}'],
    ],
    ["prompts", "rows.jsonl", '{"id":"a","prompt":"hello"}\n', ["# The rows are the prompts"]],
    [
      "a batch file",
      "rows.jsonl",
      '{"custom_id":"a","body":{"messages":[{"role":"user","content":"hi"}]}}\n',
      ["# The rows are the prompts"],
    ],
  ])("for %s", async (_what, name, content, parts) => {
    const { cwd, job } = await init(name, content);
    for (const part of parts) expect(job).toContain(part);
    const options = { job: "job.yaml", cwd, env: {} };
    await validateJob(options);
    const summary = await run({
      ...options,
      queue: redisUrl(),
      simulate: { latency: { kind: "fixed", ms: 0 } },
    });
    expect(summary.rows.failed).toBe(parts.includes("lenient: true") ? 1 : 0);
  });

  it.each([
    ["notes.txt", "Dear Anna, how are you?\nI am fine, thanks.\n"],
    ["list.txt", "milk\neggs\nbread\n"],
    ["readme.md", "# Title, with a comma\n\nSome text, with more, commas.\n"],
    ["one.txt", "hello world\n"],
    ["talk.txt", "Hello, world\nfoo, bar\n"],
    ["quote.txt", 'He said, "no\nand left'],
  ])("but does not take plain text for a CSV: %s", async (name, content) => {
    await expect(init(name, content)).rejects.toMatchObject({
      code: "input_plain_text",
      hint: expect.stringContaining("jq -R") as string,
    });
  });
});

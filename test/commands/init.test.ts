import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import iconv from "iconv-lite";
import { describe, expect, it } from "vitest";
import { cli, type CliEnd } from "../support/cli.js";
import { redisUrl } from "../support/redis-url.js";
import { tempFolder } from "../support/temp-folder.js";

interface Started {
  readonly init: CliEnd;
  readonly job: string;
  readonly call: (...args: string[]) => Promise<CliEnd>;
}

/** Makes a job for an input; `run` it with `call`. */
async function init(name: string, content: string | Buffer): Promise<Started> {
  const cwd = await tempFolder();
  await writeFile(join(cwd, name), content);
  const call = (...args: string[]) => cli(args, { cwd, env: { PROMPTMILL_QUEUE: redisUrl() } });
  const end = await call("init", name, "--job", "job.yaml");
  return { init: end, job: await readFile(join(cwd, "job.yaml"), "utf8").catch(() => ""), call };
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
    const { init: end, job, call } = await init(name, content);
    expect(end.code, end.stderr).toBe(0);
    for (const part of parts) expect(job).toContain(part);
    const validated = await call("validate", "job.yaml");
    expect(validated.code, validated.stderr).toBe(0);
    const ran = await call("run", "job.yaml", "--simulate", "latency=0");
    expect(ran.code, ran.stderr).toBe(parts.includes("lenient: true") ? 3 : 0);
  });

  it.each([
    ["notes.txt", "Dear Anna, how are you?\nI am fine, thanks.\n"],
    ["list.txt", "milk\neggs\nbread\n"],
    ["readme.md", "# Title, with a comma\n\nSome text, with more, commas.\n"],
    ["one.txt", "hello world\n"],
    ["talk.txt", "Hello, world\nfoo, bar\n"],
    ["quote.txt", 'He said, "no\nand left'],
  ])("but does not take plain text for a CSV: %s", async (name, content) => {
    const { init: end, job } = await init(name, content);
    expect(end.code).toBe(2);
    expect(end.stderr).toContain("looks like plain text");
    expect(end.stderr).toContain("jq -R");
    expect(job).toBe("");
  });
});

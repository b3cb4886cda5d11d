import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { PromptmillError } from "../../src/errors.js";
import { run } from "../../src/run/run.js";
import { validateJob } from "../../src/run/validate.js";
import { redisUrl } from "../support/redis-url.js";
import { tempFolder } from "../support/temp-folder.js";
import { readBack } from "./running.js";

interface Verdict {
  /** null: accepted. */
  readonly code: string | null;
  readonly message: string;
  readonly warnings: readonly string[];
}

async function verdictOf(action: Promise<{ readonly warnings: readonly string[] }>): Promise<Verdict> {
  try {
    return { code: null, message: "", warnings: (await action).warnings };
  } catch (error) {
    if (!(error instanceof PromptmillError)) throw error;
    return { code: error.code, message: `${error.message}\n${error.hint ?? ""}`, warnings: [] };
  }
}

/** What `validate` and `run` say of a job over an input; they must say the same. `prompts` are those that were sent. */
async function judge(
  name: string,
  content: string,
  user: string | null,
  more: Readonly<Record<string, unknown>> = {},
): Promise<Verdict & { readonly prompts: readonly string[] }> {
  const cwd = await tempFolder();
  await writeFile(join(cwd, name), content);
  const job = { name: "job", model: "qwen-plus", provider: "simulator", input: { path: name }, ...more };
  await writeFile(join(cwd, "job.json"), JSON.stringify(user === null ? job : { ...job, prompt: { user } }));
  const env = { PROMPTMILL_SIMULATOR_URL: "http://127.0.0.1:9" };
  const validated = await verdictOf(validateJob({ job: "job.json", cwd, env }));
  const running = run({
    job: "job.json",
    cwd,
    env,
    queue: redisUrl(),
    simulate: { latency: { kind: "fixed", ms: 0 } },
  });
  const ran = await verdictOf(running);
  expect(validated).toEqual(ran);
  const prompts =
    ran.code === null ? (await readBack(await running)).results.map((row) => String(row["answer"])) : [];
  return { ...ran, prompts };
}

/** A prompt that the simulator repeats as its answer. */
const echo = (template: string): string => `[[sim:answer=${template}]]`;

describe("validate and run agree", () => {
  it.each<[string, string, string | null, string]>([
    ["cells.csv", "id,text\n1,a\n2\n", "{{ text }}", "cell_count"],
    ["columns.csv", "id,text\n1,a\n", "{{ txt }}", "column_missing"],
    ["prompts.csv", "id,text\n1,a\n", null, "column_missing"],
    ["blank.csv", "id,text\n1,a\n2, \n", "{{ text }}", "row_invalid"],
    ["typo.jsonl", '{"text":"a"}\n{"text":"b"}\n', "{{ text }}{% if txet %}!{% endif %}", "column_missing"],
    ["later.jsonl", '{"text":"a"}\n{"other":"b"}\n', "{{ text }}", "row_invalid"],
    ["size.jsonl", '{"size":"a"}\n{"other":"b"}\n', "{{ size }}", "row_invalid"],
    ["twice.jsonl", '{"text":"a","text":"b"}\n', "{{ text }}", "duplicate_key"],
    ["taken.csv", "id,answer\n1,a\n", "{{ id }}", "output_column_taken"],
    ["word.csv", "id,empty\n1,a\n", "{{ empty }}", "invalid_job"],
    ["row.csv", "row,text\n1,a\n", '{{ row }} {{ row["text"] }}', "row_invalid"],
    ["text.txt", "A text.\nAnother one, with a comma.\n", "{{ text }}", "column_missing"],
  ])("in refusing %s", async (name, content, user, code) => {
    expect(await judge(name, content, user)).toMatchObject({ code });
  });

  it("in what an id column may hold, and what a budget needs", async () => {
    const input = { path: "ids.csv", id: "id" };
    expect(await judge("ids.csv", "id,text\n1,a\n1,b\n", "{{ text }}", { input })).toMatchObject({
      code: "id_duplicate",
    });
    const priceless = { model: "nobody-knows", limits: { budget: 1 } };
    expect((await judge("rows.csv", "id,text\n1,a\n", "{{ text }}", priceless)).code).not.toBeNull();
  });

  it.each<[string, string, string, string[]]>([
    ["row.csv", "row,Product name\n7,Chair\n", '{{ row["Product name"] }}', ["Chair"]],
    [
      "row.csv",
      "row,Product name\n7,Chair\n",
      '{{ row["row"] }}/{{ row["Product name"] | upcase }}',
      ["7/CHAIR"],
    ],
    ["row.csv", "row,Product name\n7,Chair\n", "{{ row }}", ["7"]],
    [
      "words.csv",
      "size,first,last,empty,nil,true,blank,forloop,e-mail,2024\nS,F,L,E,N,T,B,O,M,Y\n",
      '{{ size }}{{ first }}{{ last }}{{ forloop }}{{ e-mail }}{{ row["empty"] }}{{ row["nil"] }}{{ row["true"] }}{{ row["blank"] }}{{ row["2024"] }}',
      ["SFLOMENTBY"],
    ],
    ["optional.jsonl", '{"a":"x"}\n{"a":"y","b":"z"}\n', '{{ a }}{{ b | default: "none" }}', ["xnone", "yz"]],
    ["numbers.jsonl", '{"n":12345678901234567890}\n{"n":1.0}\n', "{{ n }}", ["12345678901234567890", "1.0"]],
    ["blank.csv", "id,text,,\n1,a,,\n,,,\n2,b,,\n", "{{ text }}", ["a", "b"]],
  ])("in accepting %s: %j, %j", async (name, content, user, prompts) => {
    expect(await judge(name, content, echo(user))).toMatchObject({ code: null, prompts });
  });

  it("in skipping records without any value, said once", async () => {
    const { warnings } = await judge("blank.csv", "id,text\n,\n1,a\n,\n,\n", "{{ text }}");
    expect(warnings).toEqual(["3 records of the input hold no value and were skipped, the first on line 2"]);
  });
});

describe("A column whose name only looks like the one in the job", () => {
  it.each<[string, string, string, string]>([
    [
      "in another composition",
      "pre\u0301nom",
      "pr\u00e9nom",
      "character 3 is U+0065 U+0301 in the input, U+00E9 in the job",
    ],
    [
      "with a space before it",
      " text",
      "text",
      "character 1 is U+0020, a space in the input, U+0074 in the job",
    ],
    [
      "with a no-break space behind it",
      "text\u00a0",
      "text",
      "character 5 is U+00A0, a no-break space in the input, none in the job",
    ],
    [
      "with another space in it",
      "te\u00a0xt",
      "te xt",
      "character 3 is U+00A0, a no-break space in the input, U+0020, a space in the job",
    ],
    [
      "with what cannot be seen in it",
      "te\u200bxt",
      "text",
      "character 3 is U+200B, a zero-width space in the input, U+0078 in the job",
    ],
    [
      "the other way round",
      "te xt",
      "te\u00a0xt",
      "character 3 is U+0020, a space in the input, U+00A0, a no-break space in the job",
    ],
  ])("%s, is taken and said", async (_how, column, name, difference) => {
    const { code, prompts, warnings } = await judge(
      "rows.csv",
      `n,${column},id\u00a0\n1,hello,x1\n`,
      echo(`{{ row["${name}"] }}`),
      { input: { path: "rows.csv", id: "id" } },
    );
    expect({ code, prompts }).toEqual({ code: null, prompts: ["hello"] });
    expect(warnings.join()).toContain(difference);
    expect(warnings.join()).toContain('column "id" (input.id) is taken from "id\\u00a0"');
  });

  it("is refused where several look like it, with what tells them apart", async () => {
    const { code, message } = await judge("rows.csv", "text\u00a0, text\na,b\n", "{{ text }}");
    expect(code).toBe("column_missing");
    expect(message).toContain('several look like it: "text\\u00a0", " text"');
  });

  it("is taken of prompt rows, too", async () => {
    const rows = `\u00a0prompt,max_tokens \n${echo("hello there")},1\n`;
    const { warnings, prompts } = await judge("rows.csv", rows, null);
    expect(warnings).toHaveLength(2);
    expect(prompts).toHaveLength(1);
  });
});

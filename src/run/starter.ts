import { basename, extname } from "node:path";
import { readRows, describeInput, type InputDescription } from "../input/index.js";
import type { InputOptions } from "../job/resolved-job.js";

/** Rows that are looked at to guess what the columns are for. */
const LOOKED_AT = 200;
/** Tokens of an answer that a starter job allows. */
const MAX_TOKENS = 500;

/** What a starter job is made of: the input's columns, and which of them seem to be what. */
export interface StarterColumns {
  readonly description: InputDescription;
  /** The column with the longest texts. */
  readonly text: string;
  /** A column whose values tell the rows apart; null when none does. */
  readonly id: string | null;
  /** Name for the answers' column that the input does not use. */
  readonly answer: string;
}

/** The rows that `init` writes when there is no input yet. */
export const EXAMPLE_ROWS = `id,text
1,"The delivery came two days late, but the headphones are excellent."
2,"Great value. I ordered a second pair for my sister."
3,"The left earpiece stopped working after a week. Please replace it."
`;

/** Looks at an input and guesses what its columns are for. UsageError when it is no input. */
export async function guessColumns(options: InputOptions): Promise<StarterColumns> {
  const description = await describeInput(options);
  const { columns } = description;
  const lengths = new Map<string, number>();
  const values = new Map<string, Set<string>>(columns.map((column) => [column, new Set()]));
  let rows = 0;
  for await (const batch of readRows(description, options)) {
    for (const row of batch.slice(0, LOOKED_AT - rows)) {
      rows++;
      for (const column of columns) {
        const value = row.values[column];
        const cell = typeof value === "string" || typeof value === "number" ? String(value) : "";
        lengths.set(column, (lengths.get(column) ?? 0) + cell.length);
        if (cell !== "") values.get(column)?.add(cell);
      }
    }
    if (rows >= LOOKED_AT) break;
  }
  const text = columns.reduce(
    (longest, column) => ((lengths.get(column) ?? 0) > (lengths.get(longest) ?? 0) ? column : longest),
    columns[0] ?? "text",
  );
  const id = columns.find(
    (column) =>
      column !== text &&
      values.get(column)?.size === rows &&
      /^(id|sku|key|uuid|number|no|nr|编号)$|[_ -]id$|Id$/i.test(column),
  );
  return { description, text, id: id ?? null, answer: freeName("answer", columns) };
}

function freeName(wanted: string, taken: readonly string[]): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** A name for the job, out of the input's: letters, digits and hyphens. */
export function starterName(inputPath: string): string {
  const stem = basename(basename(inputPath, ".gz"), extname(basename(inputPath, ".gz")));
  const name = stem
    .normalize("NFKD")
    .replaceAll(/\p{M}/gu, "")
    .replaceAll(/[^A-Za-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40);
  return name === "" ? "my-job" : name.toLowerCase();
}

/** The text of a starter job file: complete, valid, and a comment at everything that one would change first. */
export function starterJob(
  name: string,
  inputPath: string,
  columns: StarterColumns,
  jobPath: string,
): string {
  const { text, id, answer } = columns;
  const unused = columns.description.columns.filter((column) => column !== text && column !== id);
  return `# Made by promptmill init. Try it without a key and without cost:
#
#   promptmill run ${jobPath} --simulate
#
# then see what it would cost, and run it:
#
#   promptmill estimate ${jobPath}
#   promptmill run ${jobPath}
name: ${name}
model: qwen-plus # qwen-flash costs less; promptmill prices lists what is known
# region: singapore # or beijing, virginia, …: the key belongs to a region
preset: summarization # promptmill presets lists them: translation, factual_qa, creative_writing, …
parameters:
  maxTokens: ${MAX_TOKENS} # a ceiling for every answer: it bounds what a run can cost

input:
  path: ${quoted(inputPath)}
${id === null ? "  # id: sku # a column that tells the rows apart; without one, rows are numbered" : `  id: ${quoted(id)} # tells the rows apart in journal and logs`}

prompt:
  # The same for every row: what is to be done, for whom, in which form.
  system: |
    You summarize texts. Answer with one plain sentence in the language of the text.
  # Once per row: {{ … }} inserts a cell.${unused.length === 0 ? "" : ` Other columns: ${unused.slice(0, 8).map(inserted).join(" ")}`}
  user: |
    ${inserted(text)}

output:
  format: csv # or jsonl
  column: ${quoted(answer)}

concurrency: 16 # calls under way at once
attempts: 5 # calls per row, the first included
# limits: { budget: 2.00 } # the run halts before it could cost more, in the currency of the region's prices
# reuse: true # rows that an earlier run of this job answered are not called again
# tags: { team: my-team } # for promptmill report --by tag:team
`;
}

/** The text of a starter configuration file: everything commented out, since everything has a default. */
export const STARTER_CONFIG = `# Settings for all jobs below this folder. Everything here has a default; keys never stand in this file:
# put DASHSCOPE_API_KEY=… into the environment, or into a file named .env beside this one.

# The queue. Without one, a database in this folder is used, for one process.
# queue: redis://127.0.0.1:6379

# Model servers beside Model Studio, for \`provider: local\` in a job.
# providers:
#   local: { protocol: openai, baseUrl: "http://127.0.0.1:8000/v1", apiKeyEnv: LOCAL_API_KEY }

# Presets of your own.
# presets:
#   terse: { temperature: 0.1, topP: 0.5 }

# Prices per 1,000,000 tokens, where promptmill prices does not know them or yours are others.
# prices:
#   - { model: my-model, currency: USD, input: 0.10, output: 0.40 }
`;

function inserted(column: string): string {
  return /^[\p{L}_][\p{L}\p{N}_]*$/u.test(column)
    ? `{{ ${column} }}`
    : `{{ row[${JSON.stringify(column)}] }}`;
}

/** A YAML scalar that is text whatever it looks like. */
function quoted(text: string): string {
  return /^[A-Za-z][\w./-]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

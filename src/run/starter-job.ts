import { printable } from "../input/unsafe-text.js";
import type { StarterInput } from "./starter.js";

/** Tokens of an answer that a starter job allows. */
const MAX_TOKENS = 500;

/** The text of a starter job file: complete, valid, and a comment at everything that one would change first. */
export function starterJob(name: string, inputPath: string, input: StarterInput, jobPath: string): string {
  return `# Made by promptmill init. Try it without a key and without cost:
#
#   promptmill run ${jobPath} --simulate
#
# then see what it would cost, and run it:
#
#   promptmill estimate ${jobPath}
#   promptmill run ${jobPath}
name: ${name}
${asked(input)}
${inputPart(inputPath, input)}
${promptPart(input)}output:
  format: csv # or jsonl
  column: ${quoted(freeName(input.languages === null ? "answer" : "translation", input.summary.columns))}

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

function asked({ languages, text }: StarterInput): string {
  const region = "# region: singapore # or beijing, virginia, …: the key belongs to a region";
  if (languages?.areKnown === true)
    return `model: qwen-mt-flash # qwen-mt-plus for the best wording; promptmill prices lists what is known\n${region}\n`;
  const preset = languages === null ? "summarization" : "translation";
  return `model: qwen-plus # qwen-flash costs less; promptmill prices lists what is known
${region}
${text === null ? "" : `preset: ${preset} # promptmill presets lists them: factual_qa, creative_writing, …\n`}parameters:
  maxTokens: ${MAX_TOKENS} # a ceiling for every answer: it bounds what a run can cost
`;
}

function inputPart(path: string, { summary, id, text, isLacking }: StarterInput): string {
  const { encoding, delimiter, format } = summary;
  const lines = [
    "input:",
    `  path: ${quoted(path)}`,
    ...(encoding === "utf-8"
      ? []
      : [`  encoding: ${encoding} # what its bytes look like: see that the text is right`]),
    ...(format === "jsonl" || delimiter === null || delimiter === ","
      ? []
      : [`  delimiter: ${quoted(delimiter)}`]),
    ...(text === null
      ? []
      : [
          id === null
            ? "  # id: sku # a column that tells the rows apart; without one, rows are numbered"
            : `  id: ${quoted(id)} # tells the rows apart in journal and logs`,
        ]),
    ...(isLacking
      ? ["  lenient: true # rows that lack what is asked about become failed rows, and are not called"]
      : []),
  ];
  return `${lines.join("\n")}\n`;
}

function promptPart({ summary, text, id, languages }: StarterInput): string {
  if (text === null) return "# The rows are the prompts, so that there is no prompt: here.\n\n";
  if (languages?.areKnown === true) {
    const { source, target } = languages;
    return `prompt:
  user: ${JSON.stringify(inserted(text))} # the text alone: the model takes no other message

translation:
  source: ${source === null ? "auto # saying it is better: English" : JSON.stringify(inserted(source))}
  target: ${JSON.stringify(inserted(target))} # or one language for all rows; a column with the language of the texts is the source

`;
  }
  const taken = [text, id, languages?.target];
  const unused = summary.columns.filter((column) => !taken.includes(column));
  const others = unused.slice(0, 8).map((column) => printable(inserted(column).replaceAll("\n", " ")));
  const task =
    languages === null
      ? "You summarize texts. Answer with one plain sentence in the language of the text."
      : "You are a professional translator. Output the translation only.";
  const into = languages === null ? "" : `Translate into ${inserted(languages.target)}:\n\n`;
  return `prompt:
  # The same for every row: what is to be done, for whom, in which form.
  system: |
    ${task}
  # Once per row: {{ … }} inserts a cell.${others.length === 0 ? "" : ` Other columns: ${others.join(" ")}`}
  user: ${block(into + inserted(text))}

`;
}

/** A template as a YAML block or, where a column's name cannot stand in one, as quoted text. */
function block(template: string): string {
  if (printable(template) !== template || /\r/.test(template)) return JSON.stringify(template);
  return `|\n    ${template.replaceAll("\n", "\n    ").replaceAll(/ +$/gm, "")}`;
}

const WORDS = /^(true|false|nil|null|empty|blank|row|and|or|not|contains)$/;

function inserted(column: string): string {
  if (/^[\p{L}_][\p{L}\p{N}_]*$/u.test(column) && !WORDS.test(column)) return `{{ ${column} }}`;
  return `{{ row[${JSON.stringify(column)}] }}`;
}

function freeName(wanted: string, taken: readonly string[]): string {
  for (let number = 1; ; number++) {
    const name = number === 1 ? wanted : `${wanted}_${number}`;
    if (!taken.includes(name)) return name;
  }
}

/** A YAML scalar that is text whatever it looks like. */
function quoted(text: string): string {
  return /^[A-Za-z][\w./-]*$/.test(text) && !/^(y|n|yes|no|on|off|true|false|null)$/i.test(text)
    ? text
    : JSON.stringify(text);
}

import { PROMPT_ROW_IDS } from "../input/custom-id.js";
import { keysOf } from "../json/source-number.js";
import type { InputRow } from "../input/row.js";
import type { Parameters } from "../types.js";
import { malformedCell } from "./cell.js";
import { parametersSchema, toParameters } from "./parameters-schema.js";
import { RowProblem } from "./row-problem.js";

/** Whether an input's columns are those of rows that `asPromptRow` knows. */
export function arePromptColumns(columns: readonly string[]): boolean {
  return columns.includes("conversations") || (columns.includes("body") && columns.includes("custom_id"));
}

/** A prompt row, and parameters of its own beside those that every prompt row may override. */
export interface ForeignRow {
  readonly row: InputRow;
  readonly parameters?: Parameters;
}

type Mapping = Readonly<Record<string, unknown>>;

/**
 * Makes prompt rows of what other programs write: lines of an OpenAI batch file (`custom_id`, `body`) and of
 * ShareGPT data (`conversations`). Other rows come back as they are. Throws RowProblem for what cannot be kept.
 */
export function asPromptRow(row: InputRow): ForeignRow {
  const { body, conversations, messages, prompt } = row.values;
  if ((messages ?? prompt ?? undefined) !== undefined) return { row };
  if (isMapping(body)) return batchLine(row, body);
  if (Array.isArray(conversations)) return { row: conversation(row, conversations) };
  return { row };
}

/** Keys of a batch line's body that say how the answer travels, which is not the row's to say. */
const TRANSPORT_KEYS = ["stream", "stream_options"];
/** Those that every prompt row may override by. */
const ROW_KEYS = ["model", "messages", "temperature", "top_p", "max_tokens"];

function batchLine(row: InputRow, body: Mapping): ForeignRow {
  const { url, method } = row.values;
  if (method !== undefined && method !== "POST") throw malformedCell(row, "method", "POST", method);
  if (url !== undefined && !(typeof url === "string" && url.endsWith("/chat/completions")))
    throw malformedCell(row, "url", "/v1/chat/completions", url);
  const values: Record<string, unknown> = {};
  for (const column of PROMPT_ROW_IDS)
    if (row.values[column] !== undefined) values[column] = row.values[column];
  const own: Record<string, unknown> = {};
  for (const key of keysOf(body)) {
    if (body[key] === null || TRANSPORT_KEYS.includes(key)) continue;
    (ROW_KEYS.includes(key) ? values : own)[key] = body[key];
  }
  if (values["messages"] === undefined)
    throw malformedCell(row, "body.messages", "a list of messages", undefined);
  const meant = { row: { ...row, values } };
  return Object.keys(own).length === 0 ? meant : { ...meant, parameters: bodyParameters(row, own) };
}

/** A body's other keys as parameters; those that we do not know are sent as they are. */
function bodyParameters(row: InputRow, body: Mapping): Parameters {
  const known: Record<string, unknown> = {};
  const extra: Record<string, unknown> = {};
  for (const [key, value] of Object.entries(JSON.parse(JSON.stringify(body)) as Mapping)) {
    const name = key.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    const isKnown = name !== "extra" && Object.hasOwn(parametersSchema.shape, name);
    (isKnown ? known : extra)[isKnown ? name : key] =
      key === "response_format" ? responseFormat(value) : value;
  }
  const checked = parametersSchema.safeParse({
    ...known,
    ...(Object.keys(extra).length === 0 ? {} : { extra }),
  });
  if (checked.success) return toParameters(checked.data);
  const { path, message } = checked.error.issues[0] ?? { path: [], message: "other parameters" };
  throw malformedCell(row, `body.${path.join(".")}`, message, known[String(path[0])]);
}

function responseFormat(format: unknown): unknown {
  if (!isMapping(format) || format["json_schema"] === undefined) return format;
  const { json_schema: jsonSchema, ...rest } = format;
  return { ...rest, jsonSchema };
}

const SPEAKERS: Readonly<Record<string, string>> = {
  human: "user",
  user: "user",
  gpt: "assistant",
  assistant: "assistant",
  system: "system",
};

function conversation(row: InputRow, turns: readonly unknown[]): InputRow {
  const messages = turns.map((turn, index) => {
    const place = `conversations[${index}]`;
    if (!isMapping(turn)) throw malformedCell(row, place, "a mapping of from and value", turn);
    const from = turn["from"] ?? turn["role"];
    const role = typeof from === "string" ? SPEAKERS[from.toLowerCase()] : undefined;
    if (role === undefined) throw malformedCell(row, `${place}.from`, "human, gpt or system", from);
    return { role, content: turn["value"] ?? turn["content"] };
  });
  if (messages.at(-1)?.role === "assistant") {
    throw new RowProblem(
      row,
      `column conversations: expected a last turn of human, which can be answered, received one of gpt; to have it answered anew, leave it out: jq -c '.conversations |= .[:-1]'`,
      { code: "invalid_value", column: "conversations" },
    );
  }
  const { id, system } = row.values;
  const isOpening = typeof system === "string" && system.trim() !== "" && messages[0]?.role !== "system";
  return {
    ...row,
    values: {
      ...(id === undefined ? {} : { id }),
      messages: isOpening ? [{ role: "system", content: system }, ...messages] : messages,
    },
  };
}

function isMapping(value: unknown): value is Mapping {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

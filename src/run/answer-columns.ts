import { UsageError } from "../errors.js";
import { shownText } from "../input/unsafe-text.js";
import { parseJson } from "../json/parse-json.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { compileSchema, parseStructured } from "../provider/index.js";
import type { Result } from "../types.js";
import type { AnswerColumn } from "../writer/results.js";

/**
 * The columns that answers fill: what the model said, under the name that the job gives it; in a CSV the
 * properties of its schema instead, each a column. Then the thinking, where the job wants it, and the calls
 * of tools, where it offers any.
 */
export function answerColumns(job: ResolvedJob): AnswerColumn[] {
  const { column, reasoning } = job.output;
  const answers: AnswerColumn[] =
    job.output.schema === undefined
      ? [{ name: column, value: (result) => result.output?.text }]
      : structuredColumns(job);
  if (reasoning === true) answers.push({ name: "reasoning", value: (result) => result.output?.reasoning });
  if (job.parameters.tools !== undefined) {
    answers.push({ name: "tool_calls", value: (result) => result.output?.toolCalls });
  }
  return answers;
}

/** The journal holds what the model said, word for word; its value is read out of it here, with all its digits. */
function structuredColumns({ output: { column, format, schema } }: ResolvedJob): AnswerColumn[] {
  const properties = format === "csv" ? Object.keys((schema?.["properties"] ?? {}) as object) : [];
  if (properties.length === 0) return [{ name: column, value: structuredValue }];
  return properties.map((name) => ({ name, value: (result) => propertyOf(structuredValue(result), name) }));
}

const values = new WeakMap<Result, { readonly value: unknown }>();

/** undefined for a row without an answer that fits. */
function structuredValue(result: Result): unknown {
  if (result.status === "failed" || result.output.toolCalls !== undefined) return undefined;
  let known = values.get(result);
  if (known === undefined) {
    const parsed = parseStructured(result.output.text, () => null);
    known = { value: "value" in parsed ? parseJson(parsed.json, true) : undefined };
    values.set(result, known);
  }
  return known.value;
}

function propertyOf(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? (value as Readonly<Record<string, unknown>>)[name]
    : undefined;
}

/**
 * Refuses an `output` that cannot be had with this input: a schema that is none, and answers that would fill
 * a column of the input, or one column twice. UsageError.
 */
export function checkOutput(job: ResolvedJob, columns: readonly string[]): void {
  if (job.output.schema !== undefined) compileSchema(job.output.schema);
  const names = answerColumns(job).map(({ name }) => name);
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) {
    throw new UsageError(`The job's answers would fill the column ${shownText(twice)} twice.`, {
      code: "output_column_taken",
      hint: "Rename output.column, or the property of output.schema.",
    });
  }
  for (const name of names) {
    if (!columns.includes(name)) continue;
    const isAnswer = name === job.output.column;
    throw new UsageError(
      isAnswer
        ? `output.column: expected a name that the input does not use, received ${shownText(name)}, which ${job.input.path} has already.`
        : `The results would have the column ${shownText(name)} twice: ${job.input.path} has it already.`,
      {
        code: "output_column_taken",
        hint: isAnswer
          ? "Choose another: --set output.column=answer"
          : "Rename it in the input or in output.schema, or keep the answer in one column: --set output.format=jsonl",
      },
    );
  }
}

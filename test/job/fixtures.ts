import { expect } from "vitest";
import type { Config } from "../../src/config.js";
import { UsageError } from "../../src/errors.js";
import type { InputRow } from "../../src/input/row.js";
import { compileRequests, resolveJob, RowProblem } from "../../src/job/index.js";
import type { BuiltRequest, JobDefinition, ResolvedJob } from "../../src/job/index.js";

export const emptyConfig: Config = {
  file: null,
  queue: null,
  providers: {},
  presets: {},
  prices: [],
  environment: {},
};

export const promptJob: JobDefinition = { name: "test", model: "qwen-plus", prompt: { user: "{{ text }}" } };
export const rowsJob: JobDefinition = { name: "test", model: "qwen-plus" };

export function resolved(definition: unknown, config: Config = emptyConfig): ResolvedJob {
  return resolveJob(definition, { config, file: null, baseDir: "/jobs" }).job;
}

/** The lines of the error that refuses a definition. */
export function refusal(definition: unknown, config: Config = emptyConfig): string {
  try {
    resolveJob(definition, { config, file: null, baseDir: "/jobs" });
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error("the definition was accepted");
}

export function row(values: Record<string, unknown>, rowIndex = 0): InputRow {
  return {
    rowIndex,
    line: rowIndex + 2,
    values: Object.assign(Object.create(null), values) as Record<string, unknown>,
  };
}

export function build(definition: unknown, values: Record<string, unknown>): BuiltRequest {
  return compileRequests(resolved(definition)).build(row(values));
}

/** The problem that a row has under a job. */
export function problemOf(definition: unknown, values: Record<string, unknown>): RowProblem {
  try {
    build(definition, values);
  } catch (error) {
    if (error instanceof RowProblem) return error;
    throw error;
  }
  throw new Error("the row was accepted");
}

import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import { stringify } from "csv-stringify/sync";
import type { Result } from "../../src/types.js";
import { journalEvents } from "./journal-events.js";
import type { UsageReport } from "../../src/usage/index.js";

/** A job that asks the simulator about each row's `text`; `more` are further keys, as YAML. */
export function jobText(more = ""): string {
  return [
    "name: ask",
    "model: qwen-plus",
    "provider: simulator",
    "input: { path: input.csv, id: id }",
    "prompt: { user: '{{ id }}: {{ text }}' }",
    more,
  ].join("\n");
}

/** Rows `r0`, `r1`, … with a text each; `textOf` may put simulator markers there. */
export function csvOf(rows: number, textOf: (row: number) => string = (row) => `text of row ${row}`): string {
  return stringify([["id", "text"], ...Array.from({ length: rows }, (_, row) => [`r${row}`, textOf(row)])]);
}

/** Writes job.yaml and input.csv into a folder. */
export async function writeJob(folder: string, input: string | Buffer, more = ""): Promise<void> {
  await writeFile(join(folder, "job.yaml"), jobText(more));
  await writeFile(join(folder, "input.csv"), input);
}

/** What a run left in its directory. */
export function readRun(directory: string): {
  results: Record<string, string>[];
  journal: Result[];
  usage: UsageReport;
} {
  const text = (name: string): string => readFileSync(join(directory, name), "utf8");
  return {
    results: parse(text("results.csv"), { columns: true }),
    journal: journalEvents(directory).filter((event) => event.event === "settled"),
    usage: JSON.parse(text("usage.json")) as UsageReport,
  };
}

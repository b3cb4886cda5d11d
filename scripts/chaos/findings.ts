import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { CallCounts } from "../../src/simulator/index.js";
import type { Result, Usage } from "../../src/types.js";
import type { UsageReport } from "../../src/usage/index.js";
import type { Fleet } from "./fleet.js";

/** Rows whose answer was in the journal at a moment, with how often the model had been called for each. */
export type Recorded = ReadonlyMap<string, number>;

export interface Findings {
  readonly rowsLost: number;
  readonly rowsTwice: number;
  readonly rowsFailed: number;
  readonly calls: number;
  /** Calls beyond the first of each row. */
  readonly repeated: number;
  /** Calls of rows whose answer had been recorded before. */
  readonly recordedCalledAgain: number;
  /** Answers that the model gave (and would bill), that the journal has, and that are listed as possibly billed. */
  readonly answered: number;
  readonly billed: number;
  readonly possiblyBilled: number;
  /** What usage.json says beyond or below the journal's lines: must be empty. */
  readonly usageErrors: readonly string[];
}

/** Journal first, counts after: a call that began before its row was recorded is among the counts. */
export async function recordedRows(fleet: Fleet): Promise<Recorded> {
  const results = (await journalResults(fleet)).filter(({ extra }) => !extra);
  const calls = callsById(fleet.simulator.calls());
  return new Map(results.map(({ result }) => [result.customId, calls.get(result.customId) ?? 0]));
}

/** Looks from outside: result file against input, the model's own counts, usage.json against the journal. */
export async function findingsOf(
  fleet: Fleet,
  snapshots: readonly Recorded[],
  ids = fleet.ids,
): Promise<Findings> {
  const counts = fleet.simulator.calls();
  const calls = callsById(counts);
  const text = await readFile(join(fleet.runDirectory, "results.csv"), "utf8");
  const rows = parse(text, { columns: true, bom: true }) as { id: string; status: string; output: string }[];
  const found = new Map<string, number>();
  for (const { id } of rows) found.set(id, (found.get(id) ?? 0) + 1);
  const again = new Set<string>();
  for (const snapshot of snapshots) {
    for (const [id, before] of snapshot) if ((calls.get(id) ?? 0) > before) again.add(id);
  }
  const journal = await journalResults(fleet);
  const usage = JSON.parse(await readFile(join(fleet.runDirectory, "usage.json"), "utf8")) as UsageReport;
  return {
    rowsLost: ids.filter((id) => !found.has(id)).length + rows.filter(({ status }) => status === "").length,
    rowsTwice: [...found.values()].filter((times) => times > 1).length,
    rowsFailed: rows.filter(({ status }) => status === "failed").length,
    calls: counts.total,
    repeated: [...calls.values()].reduce((sum, times) => sum + times - 1, 0),
    recordedCalledAgain: again.size,
    answered: counts.answered,
    billed: usage.attempts.billed,
    possiblyBilled: usage.attempts.possiblyBilled,
    usageErrors: usageErrors(usage, journal.map(ownCost)),
  };
}

async function journalResults(fleet: Fleet): Promise<{ result: Result; extra: boolean }[]> {
  const path = join(fleet.runDirectory, "journal.jsonl");
  if (!existsSync(path)) return [];
  const lines = (await readFile(path, "utf8")).split("\n").slice(0, -1);
  return lines.flatMap((line): { result: Result; extra: boolean }[] => {
    const entry = JSON.parse(line) as Result | { event: string; result?: Result };
    if (!("event" in entry)) return [{ result: entry, extra: false }];
    return entry.result === undefined ? [] : [{ result: entry.result, extra: true }];
  });
}

/** Of an extra answer only its own call: the row's earlier starts are those of the result that stands. */
function ownCost({ result, extra }: { result: Result; extra: boolean }): Result {
  if (!extra || result.orphaned === true) return result;
  return { ...result, priorUsages: [], possiblyBilled: 0 };
}

function usageErrors(usage: UsageReport, results: readonly Result[]): string[] {
  const attempts = results.flatMap((result): Usage[] => [
    ...(result.usage === null ? [] : [result.usage]),
    ...(result.priorUsages ?? []),
  ]);
  const sum = (key: "inputTokens" | "outputTokens"): number =>
    attempts.reduce((total, each) => total + each[key], 0);
  const possible = results.reduce((total, { possiblyBilled }) => total + possiblyBilled, 0);
  const listed = usage.possiblyBilled.rows.reduce((total, { starts }) => total + starts, 0);
  const pairs: [string, number, number][] = [
    ["billed attempts", usage.attempts.billed, attempts.length],
    ["input tokens", usage.tokens.input, sum("inputTokens")],
    ["output tokens", usage.tokens.output, sum("outputTokens")],
    ["possibly billed", usage.attempts.possiblyBilled, possible],
    ["possibly billed rows", listed, possible],
  ];
  return pairs
    .filter(([, says, is]) => says !== is)
    .map(([what, says, is]) => `${what}: ${says}, journal ${is}`);
}

/** Calls by row: each row's prompt begins with its id. */
function callsById(counts: CallCounts): Map<string, number> {
  const calls = new Map<string, number>();
  for (const request of counts.perRequest.values()) {
    const id = request.lastUserText.split(" ")[0] ?? "";
    calls.set(id, (calls.get(id) ?? 0) + request.calls);
  }
  return calls;
}

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "csv-parse/sync";
import type { CallCounts } from "../../src/simulator/index.js";
import type { UsageReport } from "../../src/usage/index.js";
import type { Fleet } from "./fleet.js";
import { readJournal, type JournalSays } from "./journal.js";

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
  /** Answers that the model made, and would bill, whoever took them. */
  readonly billedByModel: number;
  /** Calls that the model saw and of which the journal does not know whether they were billed. */
  readonly unrecorded: number;
  readonly billed: number;
  readonly possiblyBilled: number;
  /** Starts that may be in no journal, at most. */
  readonly unknownStarts: number;
  /** Rows of which more calls were made than are recorded or listed. */
  readonly unlisted: readonly string[];
  /** What usage.json says beyond or below the journal's lines: must be empty. */
  readonly usageErrors: readonly string[];
}

/** Journal first, counts after: a call that began before its row was recorded is among the counts. */
export function recordedRows(fleet: Fleet): Recorded {
  const { succeeded } = readJournal(fleet.runDirectory);
  const calls = callsById(fleet.simulator.calls());
  return new Map([...succeeded].map((id) => [id, calls.get(id) ?? 0]));
}

/** Looks from outside: result file against input, the model's own counts, usage.json against the journal. */
export async function findingsOf(
  fleet: Fleet,
  snapshots: readonly Recorded[],
  ids = fleet.ids,
): Promise<Findings> {
  const rows = await resultRows(fleet);
  const found = new Map<string, number>();
  for (const { id } of rows) found.set(id, (found.get(id) ?? 0) + 1);
  const usage = await usageOf(fleet);
  return {
    rowsLost: ids.filter((id) => !found.has(id)).length + rows.filter(({ status }) => status === "").length,
    rowsTwice: [...found.values()].filter((times) => times > 1).length,
    rowsFailed: rows.filter(({ status }) => status === "failed").length,
    ...moneyFindings(fleet, usage, snapshots),
  };
}

/** The part that can be said of a run that is not finished as well. `usage`: of usage.json, or of a report. */
export function moneyFindings(
  fleet: Fleet,
  usage: UsageReport,
  snapshots: readonly Recorded[] = [],
): Omit<Findings, "rowsLost" | "rowsTwice" | "rowsFailed"> {
  const counts = fleet.simulator.calls();
  const calls = callsById(counts);
  const journal = readJournal(fleet.runDirectory);
  const again = new Set<string>();
  for (const snapshot of snapshots) {
    for (const [id, before] of snapshot) if ((calls.get(id) ?? 0) > before) again.add(id);
  }
  const listed = new Map<string, number>();
  for (const { customId, starts } of usage.possiblyBilled.rows)
    listed.set(customId, (listed.get(customId) ?? 0) + starts);
  const known = (id: string): number => journal.known.get(id) ?? 0;
  return {
    calls: counts.total,
    repeated: sumOf(calls.values(), (times) => times - 1),
    recordedCalledAgain: again.size,
    billedByModel: sumOf(counts.perRequest.values(), ({ billed }) => billed),
    unrecorded: sumOf(calls, ([id, times]) => Math.max(0, times - known(id))),
    billed: usage.attempts.billed,
    possiblyBilled: usage.attempts.possiblyBilled,
    unknownStarts: usage.possiblyBilled.unknownStarts,
    unlisted: [...calls].flatMap(([id, times]) => (times > known(id) + (listed.get(id) ?? 0) ? [id] : [])),
    usageErrors: usageErrors(usage, journal),
  };
}

export async function usageOf(fleet: Fleet): Promise<UsageReport> {
  return JSON.parse(await readFile(join(fleet.runDirectory, "usage.json"), "utf8")) as UsageReport;
}

export interface ResultRow {
  readonly id: string;
  readonly status: string;
  readonly answer: string;
}

export async function resultRows({ runDirectory }: Pick<Fleet, "runDirectory">): Promise<ResultRow[]> {
  const text = await readFile(join(runDirectory, "results.csv"), "utf8");
  return parse(text, { columns: true, bom: true }) as unknown as ResultRow[];
}

/** Calls by row: each row's prompt begins with its id. */
export function callsById(counts: CallCounts): Map<string, number> {
  const calls = new Map<string, number>();
  for (const request of counts.perRequest.values()) {
    const id = request.lastUserText.split(" ")[0] ?? "";
    calls.set(id, (calls.get(id) ?? 0) + request.calls);
  }
  return calls;
}

function usageErrors(usage: UsageReport, journal: JournalSays): string[] {
  const tokens = (key: "inputTokens" | "outputTokens"): number =>
    sumOf(journal.billed, (each) => each?.[key] ?? 0);
  const pairs: [string, number, number][] = [
    ["billed attempts", usage.attempts.billed, journal.billed.length],
    ["input tokens", usage.tokens.input, tokens("inputTokens")],
    ["output tokens", usage.tokens.output, tokens("outputTokens")],
    ["possibly billed", usage.attempts.possiblyBilled, journal.possiblyBilled],
    [
      "possibly billed rows",
      sumOf(usage.possiblyBilled.rows, ({ starts }) => starts),
      journal.possiblyBilled,
    ],
  ];
  return pairs
    .filter(([, says, is]) => says !== is)
    .map(([what, says, is]) => `${what}: ${says}, journal ${is}`);
}

function sumOf<T>(items: Iterable<T>, value: (item: T) => number): number {
  let sum = 0;
  for (const item of items) sum += value(item);
  return sum;
}

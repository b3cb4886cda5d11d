import { createReadStream } from "node:fs";
import { createInterface } from "node:readline";
import { z } from "zod";
import type { CountableResult, UsageTotals } from "./usage-totals.js";

const count = z.number().min(0);
const usage = z.looseObject({
  inputTokens: count,
  outputTokens: count,
  cachedInputTokens: count.default(0),
  reasoningTokens: count.default(0),
});
const base = {
  rowIndex: z.int().min(0),
  customId: z.string(),
  model: z.string(),
  usage: usage.nullable().default(null),
  priorUsages: z.array(usage).optional(),
  possiblyBilled: count.default(0),
  callBound: z.looseObject({ inputTokens: count, outputTokens: count }).optional().catch(undefined),
  orphaned: z.literal(true).optional(),
  finishedAt: z.iso.datetime({ offset: true }),
  reused: z.object({ runId: z.string(), usage: usage.nullish() }).optional(),
};
/** Of a journal line only what is counted. */
const lineSchema = z.discriminatedUnion("status", [
  z.looseObject({ ...base, status: z.literal("succeeded") }),
  z.looseObject({ ...base, status: z.literal("failed"), error: z.looseObject({ kind: z.string() }) }),
]);

export interface JournalSum {
  /** When the last counted row was settled; null when there is none. */
  readonly lastFinishedAt: string | null;
  /** Lines that could not be read, a torn last one not counted. */
  readonly unreadableLines: number;
}

/**
 * Adds a journal's results to the totals, streaming. A torn last line (a run that is going on, or was
 * killed) is passed over, other unreadable lines are counted: a report shows what can be known.
 */
export async function sumJournal(path: string, totals: UsageTotals): Promise<JournalSum> {
  const lines = createInterface({ input: createReadStream(path, "utf8"), crlfDelay: Infinity });
  let lastFinishedAt: string | null = null;
  let unreadable = 0;
  let lastWasUnreadable = false;
  for await (const line of lines) {
    if (line.trim() === "") continue;
    const entry = parseLine(line);
    lastWasUnreadable = entry === null;
    if (entry === null) unreadable += 1;
    else if (entry.kind === "extra") totals.addExtra(entry.result);
    else if (entry.kind === "result") {
      const { result } = entry;
      totals.add(result);
      if (lastFinishedAt === null || result.finishedAt > lastFinishedAt) lastFinishedAt = result.finishedAt;
    }
  }
  return { lastFinishedAt, unreadableLines: unreadable - (lastWasUnreadable ? 1 : 0) };
}

type Entry = { kind: "result" | "extra"; result: CountableResult } | { kind: "event" };

function parseLine(line: string): Entry | null {
  try {
    const entry = JSON.parse(line) as { event?: unknown; result?: unknown } | null;
    const kind = entry?.event === "extra" ? "extra" : "result";
    if (typeof entry?.event === "string" && kind !== "extra") return { kind: "event" }; // no usage in it
    const parsed = lineSchema.safeParse(kind === "extra" ? entry?.result : entry);
    // Fields that are not counted are not checked: a report does not fail on them.
    return parsed.success ? { kind, result: parsed.data as unknown as CountableResult } : null;
  } catch {
    return null;
  }
}

import * as fc from "fast-check";
import { appendFile, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { JournalReader } from "../../src/journal/journal-reader.js";
import { loadJournal } from "../../src/journal/load-journal.js";
import type { JournalEvent } from "../../src/protocol/events.js";
import type { EndedCall } from "../../src/protocol/ledger.js";
import type { CallBound, Result, Usage } from "../../src/types.js";
import { IDENTITY, ledgerOf, settled, writeJournal } from "../support/journal.js";
import { answered, refused } from "../support/results.js";
import { tempFolder } from "../support/temp-folder.js";

const ROWS = 6;

type Old = Result & {
  attemptsStarted: number;
  possiblyBilled: number;
  callBound?: CallBound;
  priorUsages?: readonly Usage[];
  orphaned?: true;
};

/** A result as the format before has it. */
function old(result: Result, more: Partial<Omit<Old, keyof Result>> = {}): Old {
  return { ...result, attemptsStarted: 1, possiblyBilled: 0, ...more };
}

async function oldJournal(lines: readonly unknown[]): Promise<string> {
  const directory = await tempFolder();
  await writeFile(
    join(directory, "journal.jsonl"),
    lines.map((line) => `${JSON.stringify(line)}\n`).join(""),
  );
  return directory;
}

async function callsOf(directory: string): Promise<EndedCall[]> {
  const calls: EndedCall[] = [];
  await ledgerOf(directory, ROWS, { ended: (call) => calls.push(call) });
  return calls;
}

const usageOf = (inputTokens: number): Usage => ({
  inputTokens,
  outputTokens: 1,
  cachedInputTokens: 0,
  reasoningTokens: 0,
});
const callBound = { inputTokens: 100, outputTokens: 50 };

describe("A journal of the format before", () => {
  it("has the results of today", async () => {
    const more = { possiblyBilled: 1, callBound, priorUsages: [usageOf(3)] };
    const directory = await oldJournal([old(answered(0), more), old(refused(2), { possiblyBilled: 2 })]);
    const { rows } = await ledgerOf(directory, ROWS);
    const reader = new JournalReader(directory, rows);
    expect(await reader.read(0)).toEqual({ ...answered(0), billing: "billed" });
    expect(await reader.read(1)).toBeNull();
    expect(await reader.read(2)).toEqual({ ...refused(2), billing: "possible" });
    await reader.close();
  });

  it("goes on in files of today", async () => {
    const directory = await oldJournal([old(refused(0)), old(answered(1))]);
    await appendFile(join(directory, "journal.jsonl"), '{"rowIndex":2,"status":"succ');
    const at = "2026-01-02T00:00:00Z";
    await writeJournal(directory, [{ event: "retry", at, rowIndexes: [0] }, settled(answered(0, "better"))]);
    const { rows } = await ledgerOf(directory, ROWS);
    expect({ succeeded: rows.succeeded, failed: rows.failed }).toEqual({ succeeded: 2, failed: 0 });
    const reader = new JournalReader(directory, rows);
    expect(await reader.read(0)).toMatchObject(answered(0, "better"));
    expect(await reader.read(1)).toMatchObject(answered(1));
    await reader.close();
  });

  it("counts a line once that stands there twice, and both results of a row that was called again", async () => {
    const usage = usageOf(5);
    const extra = { event: "extra", result: old(answered(0, "late", { usage }), { attemptsStarted: 2 }) };
    const again = { event: "retry", at: "2026-01-02T00:00:00Z", rowIndexes: [0] };
    const first = old(answered(0, "a", { usage }));
    expect(await callsOf(await oldJournal([first, first, extra, extra]))).toHaveLength(2);
    expect(await callsOf(await oldJournal([first, again, first]))).toHaveLength(2);
    expect(await callsOf(await oldJournal([first, again, old(answered(0, "b", { usage }))]))).toHaveLength(2);
  });

  it.each([
    ["a row that the run does not have", old(answered(ROWS))],
    ["an unknown status", { ...old(answered(0)), status: "maybe" }],
    ["negative tokens", old(answered(0, "a", { usage: usageOf(-1) }))],
    ["an unknown event", { event: "split" }],
    ["an event of today", { event: "void", worker: "w", keys: [1] }],
  ])("is refused with %s", async (_what, line) => {
    const directory = await oldJournal([old(answered(1)), line]);
    await expect(ledgerOf(directory, ROWS)).rejects.toMatchObject({
      code: "journal_corrupt",
      message: expect.stringContaining("journal.jsonl:2:") as string,
    });
  });
});

const usage = fc.nat(1_000).map(usageOf);
const anyLine = fc
  .record({
    rowIndex: fc.nat(ROWS - 1),
    kind: fc.constantFrom("result", "extra", "orphaned", "retry"),
    fails: fc.boolean(),
    usage: fc.option(usage),
    priorUsages: fc.option(fc.array(usage, { minLength: 1, maxLength: 3 }), { nil: undefined }),
    possiblyBilled: fc.nat(3),
    isBounded: fc.boolean(),
    isReused: fc.boolean(),
    second: fc.nat(59),
  })
  .map(
    ({ rowIndex, kind, fails, usage: tokens, priorUsages, possiblyBilled, isBounded, isReused, second }) => {
      if (kind === "retry") return { event: "retry", at: "2026-01-02T03:04:05Z", rowIndexes: [rowIndex] };
      const finishedAt = `2026-01-02T03:04:${String(second).padStart(2, "0")}.000Z`;
      // A row that succeeded has its tokens.
      const used = fails || isReused ? tokens : (tokens ?? usageOf(0));
      const given = { usage: isReused ? null : used, finishedAt };
      const reused = isReused ? { reused: { runId: "r", usage: used }, attempts: 0 } : {};
      const result = fails ? refused(rowIndex, {}, given) : answered(rowIndex, "x", { ...given, ...reused });
      const more = {
        attemptsStarted: 1 + possiblyBilled,
        possiblyBilled: isReused && !fails ? 0 : possiblyBilled,
        ...(possiblyBilled > 0 && isBounded ? { callBound } : {}),
        ...((isReused && !fails) || priorUsages === undefined ? {} : { priorUsages }),
      };
      const line = old(result, more);
      if (kind === "result") return line;
      return { event: "extra", result: kind === "orphaned" ? { ...line, orphaned: true as const } : line };
    },
  );

type AnyLine = Old | { event: string; result?: Old; rowIndexes?: readonly number[] };

/** What the format before says was paid and may have been, by its own rules. */
function sumOf(lines: readonly AnyLine[]): {
  input: number;
  billed: number;
  possible: number;
  bounded: number;
} {
  const sum = { input: 0, billed: 0, possible: 0, bounded: 0 };
  const standing = new Map<number, string>();
  const extras = new Set<string>();
  const bill = (tokens: Usage | null): void => {
    if (tokens === null) return;
    sum.billed++;
    sum.input += tokens.inputTokens;
  };
  const count = (result: Old): void => {
    for (const tokens of result.priorUsages ?? []) bill(tokens);
    bill(result.usage);
    sum.possible += result.possiblyBilled;
    if (result.callBound !== undefined) sum.bounded += result.possiblyBilled;
  };
  for (const line of lines) {
    if (!("event" in line)) {
      if (standing.get(line.rowIndex) === JSON.stringify(line)) continue;
      standing.set(line.rowIndex, JSON.stringify(line));
      if (line.reused === undefined) count(line);
    } else if (line.result === undefined) {
      for (const row of line.rowIndexes ?? []) standing.delete(row);
    } else {
      const { rowIndex, attemptsStarted, finishedAt, reused, orphaned } = line.result;
      const key = `${rowIndex}:${attemptsStarted}:${finishedAt}`;
      if (extras.has(key)) continue;
      extras.add(key);
      if (reused !== undefined) continue;
      if (orphaned === true) count(line.result);
      else bill(line.result.usage);
    }
  }
  return sum;
}

describe("Events made of lines of the format before", () => {
  it("say that the same was paid, and may have been", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyLine, { maxLength: 20 }), async (lines) => {
        const calls = await callsOf(await oldJournal(lines));
        const billed = calls.filter(({ billing }) => billing === "billed");
        const possible = calls.filter(({ billing }) => billing === "possible");
        expect({
          input: billed.reduce((all, call) => all + (call.usage?.inputTokens ?? 0), 0),
          billed: billed.length,
          possible: possible.length,
          bounded: possible.filter(({ bound }) => bound !== null).length,
        }).toEqual(sumOf(lines));
        expect(billed.every((call) => call.usage !== null)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("are written and read again as they are", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyLine, { maxLength: 6 }), async (lines) => {
        const read = async (directory: string): Promise<JournalEvent[]> => {
          const events: JournalEvent[] = [];
          await loadJournal({ directory, identity: IDENTITY, rows: ROWS }, (event) => events.push(event));
          return events.filter(({ event }) => event !== "run");
        };
        const events = await read(await oldJournal(lines));
        const directory = await tempFolder();
        await writeJournal(directory, events);
        expect(await read(directory)).toEqual(events);
        expect(await readFile(join(directory, "journal.jsonl"), "utf8")).not.toContain("priorUsages");
      }),
      { numRuns: 40 },
    );
  });
});

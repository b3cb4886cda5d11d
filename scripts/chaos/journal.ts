import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Usage } from "../../src/types.js";

/** What a run's journal comes to, read by other code than the program's. */
export interface JournalSays {
  /** Ids of rows that have an answer. */
  readonly succeeded: ReadonlySet<string>;
  /** Calls by id of which it is known whether they were billed. */
  readonly known: ReadonlyMap<string, number>;
  readonly billed: readonly (Usage | null)[];
  /** Calls whose end is known not to be known, and marks without an end. */
  readonly possiblyBilled: number;
  /** Marks by id. */
  readonly started: ReadonlyMap<string, number>;
}

type Line = Readonly<Record<string, unknown>> & { readonly event: string };
type StartedRow = readonly [rowIndex: number, key: number, customId: string];

/** Reads whole lines of all files, in order; repeated ones of a worker count once. Good at any moment of a run. */
export function readJournal(directory: string): JournalSays {
  const succeeded = new Set<string>();
  const known = new Map<string, number>();
  const started = new Map<string, number>();
  const open = new Set<string>();
  const closed = new Set<string>();
  const lastSeq = new Map<unknown, number>();
  const billed: (Usage | null)[] = [];
  let possible = 0;
  for (const line of journalLines(directory)) {
    const { event, worker, seq, key, customId } = line;
    if (typeof seq === "number") {
      if (seq <= (lastSeq.get(worker) ?? 0)) continue;
      lastSeq.set(worker, seq);
    }
    if (event === "started") {
      for (const [, startKey, id] of line["rows"] as StartedRow[]) {
        add(started, id);
        open.add(`${String(worker)} ${startKey}`);
      }
    } else if (event === "void") {
      for (const each of line["keys"] as number[]) open.delete(`${String(worker)} ${each}`);
    } else if (event === "attempt" || event === "settled") {
      if (event === "settled" && line["status"] === "succeeded") succeeded.add(String(customId));
      if (key === undefined || closed.has(`${String(worker)} ${Number(key)}`)) continue;
      open.delete(`${String(worker)} ${Number(key)}`);
      closed.add(`${String(worker)} ${Number(key)}`);
      if (line["billing"] === "possible") possible++;
      else add(known, String(customId));
      if (line["billing"] === "billed") billed.push(line["usage"] as Usage | null);
    }
  }
  return { succeeded, known, billed, possiblyBilled: possible + open.size, started };
}

/** Lines of the journal, in order. */
export function journalLines(directory: string): Line[] {
  if (!existsSync(directory)) return [];
  const numbers = readdirSync(directory).flatMap((name) => {
    const found = /^journal(?:-(\d+))?\.jsonl$/.exec(name);
    return found === null ? [] : [Number(found[1] ?? 1)];
  });
  return numbers
    .sort((a, b) => a - b)
    .flatMap((number) => {
      const name = number === 1 ? "journal.jsonl" : `journal-${number}.jsonl`;
      const whole = readFileSync(join(directory, name), "utf8").split("\n").slice(0, -1);
      return whole.map((line) => JSON.parse(line) as Line);
    });
}

function add(counts: Map<string, number>, id: string): void {
  counts.set(id, (counts.get(id) ?? 0) + 1);
}

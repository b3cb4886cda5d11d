import type { JournalEvent, SettledEvent } from "../../src/protocol/events.js";
import type { Ledger, LedgerListener } from "../../src/protocol/ledger.js";
import { Journal } from "../../src/journal/journal.js";
import { foldJournal } from "../../src/journal/load-journal.js";
import type { Result } from "../../src/types.js";

export const IDENTITY = "0b6c3a0e-6f0d-4a57-9c55-0d8a3f6f1e11";

/** A row's result as an event; its call, if it had one, was billed. */
export function settled(result: Result, more: { readonly key?: number } = {}): SettledEvent {
  return { event: "settled", billing: "billed", ...more, ...result };
}

/** Writes the next file of a run's journal. */
export async function writeJournal(
  directory: string,
  events: readonly JournalEvent[],
  identity = IDENTITY,
): Promise<void> {
  const journal = await Journal.create(directory, identity);
  journal.write(events.map((event) => ({ event })));
  await journal.close();
}

/** What the journal of a run with so many rows says. */
export async function ledgerOf(
  directory: string,
  rows: number,
  listener?: LedgerListener,
  identity = IDENTITY,
): Promise<Ledger> {
  return await foldJournal({ directory, identity, rows }, listener);
}

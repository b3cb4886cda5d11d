import { Ledger } from "../../../src/protocol/ledger.js";
import type { SettledEvent } from "../../../src/protocol/events.js";
import { RowTable } from "../../../src/protocol/row-table.js";
import type { CoordinatorEnd, SimContext } from "./context.js";
import { taskOf } from "./tasks.js";

interface EndedRun extends SimContext {
  readonly end: CoordinatorEnd | null;
}

/** What the journal says to whoever reads it in the end. */
interface Told {
  readonly ledger: Ledger;
  /** How often each attempt was ended. */
  readonly ended: Map<string, number>;
  readonly results: Map<number, SettledEvent>;
  billed: number;
  possible: number;
}

/** Compares what the journal says in the end with what happened. Returns how many calls it lists as possibly billed. */
export function checkEnd(sim: EndedRun): number {
  const told = readJournal(sim);
  checkRows(sim, told);
  checkCalls(sim, told);
  checkUnsent(sim, told);
  return told.possible + [...told.ledger.openStarts()].length;
}

function readJournal({ disk, without }: EndedRun): Told {
  const ended = new Map<string, number>();
  const results = new Map<number, SettledEvent>();
  const ledger = new Ledger(new RowTable(16), {
    ended: ({ billing, rowIndex }, start) => {
      if (billing === "billed") told.billed++;
      if (billing === "possible") told.possible++;
      const key = start === undefined ? `unknown start of row ${rowIndex}` : `${start.worker}:${start.key}`;
      ended.set(key, (ended.get(key) ?? 0) + 1);
    },
    settled: (event) => results.set(event.rowIndex, event),
  });
  without?.ledger?.(ledger);
  const told: Told = { ledger, ended, results, billed: 0, possible: 0 };
  for (const { event, offset, length } of disk.events()) ledger.apply(event, offset, length);
  return told;
}

function checkRows(sim: EndedRun, { ledger, results }: Told): void {
  const { findings, settings } = sim;
  const { rows } = ledger;
  if (sim.end === null) {
    const { now, steps } = sim.engine;
    findings.flag(
      "no end",
      `${rows.settled} of ${settings.rows} rows settled after ${now.toFixed()} ms, ${steps} steps`,
    );
    return;
  }
  for (let row = 0; row < settings.rows; row++) {
    const result = results.get(row);
    if (!rows.isSettled(row) || result === undefined) {
      if (sim.end === "finished") findings.flag("row lost", `row ${row} has no result`);
      continue;
    }
    const { customId, requestDigest } = taskOf(row, sim.witness.version(row));
    if (result.customId !== customId || result.requestDigest !== requestDigest)
      findings.flag("foreign", `row ${row} has the result of ${result.customId}, ${result.requestDigest}`);
    if (result.status === "succeeded" && result.output.text === "foreign")
      findings.flag("foreign", `row ${row} has a result that nobody asked for`);
    const isLost = result.status === "failed" && result.error.kind === "worker_lost";
    if (isLost && (sim.witness.deathsAlone.get(row) ?? 0) < 3) findings.flag("good row failed", `row ${row}`);
  }
}

function checkCalls({ findings, provider, witness }: EndedRun, { ledger, ended, billed }: Told): void {
  const open = new Set([...ledger.openStarts()].map(({ worker, key }) => `${worker}:${key}`));
  const unlisted = new Map<string, number>();
  for (const { key, worker, isBilled } of provider.sent) {
    if (isBilled && !ended.has(key) && !open.has(key) && !witness.lostMarks.has(key))
      unlisted.set(worker, (unlisted.get(worker) ?? 0) + 1);
  }
  for (const [worker, calls] of unlisted) {
    if (calls > (ledger.unknown.get(worker) ?? 0))
      findings.flag("billed call lost", `${calls} of ${worker} neither counted nor listed`);
  }
  if (billed > provider.billed)
    findings.flag("counted twice", `${billed} counted, ${provider.billed} billed`);
  for (const [key, times] of ended) if (times > 1) findings.flag("counted twice", `${key}: ${times} times`);
}

function checkUnsent({ findings, provider, witness }: EndedRun, { ledger }: Told): void {
  for (const { worker, key } of ledger.openStarts()) {
    const name = `${worker}:${key}`;
    if (!provider.sentKeys.has(name) && !witness.unsent.has(name)) findings.flag("never sent", name);
  }
}

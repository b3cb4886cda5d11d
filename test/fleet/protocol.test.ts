import { rm } from "node:fs/promises";
import { join } from "node:path";
import { expect, it } from "vitest";
import type { JournalEvent } from "../../src/protocol/events.js";
import { Ledger } from "../../src/protocol/ledger.js";
import { RowTable } from "../../src/protocol/row-table.js";
import { afterTest } from "../support/after-test.js";
import { freePort, startRedis, type RedisServer } from "../support/redis-server.js";
import { tempFolder } from "../support/temp-folder.js";
import { until } from "../support/until.js";
import { TestRun } from "./running.js";

const ROWS = 400;

/** A run with two workers on a server of its own, and what is done to the server meanwhile. */
async function disturbed(disturb: (run: TestRun, server: Restartable) => Promise<void>): Promise<TestRun> {
  const place = { port: await freePort(), folder: await tempFolder() };
  const server = new Restartable(place);
  await server.start();
  afterTest(() => server.stop());
  const stop = new AbortController();
  const url = `redis://127.0.0.1:${place.port}`;
  const run = new TestRun({ url, rows: ROWS, timeoutMs: 300 });
  const workers = [run.work("w1", stop.signal), run.work("w2", stop.signal)];
  const coordinating = run.coordinate();
  await disturb(run, server);
  await coordinating;
  stop.abort();
  await Promise.all(workers);
  return run;
}

class Restartable {
  readonly #place: { port: number; folder: string };
  #server: RedisServer | null = null;

  constructor(place: { port: number; folder: string }) {
    this.#place = place;
  }

  async start(): Promise<void> {
    this.#server = await startRedis(["--appendonly", "yes", "--appendfsync", "everysec"], this.#place);
  }

  /** At once, as by a power cut of its own. */
  async stop(): Promise<void> {
    await this.#server?.stop();
  }

  async empty(): Promise<void> {
    await rm(join(this.#place.folder, "appendonlydir"), { recursive: true });
  }

  signal(signal: "SIGSTOP" | "SIGCONT"): void {
    this.#server?.process.kill(signal);
  }
}

function untilCalled(run: TestRun, calls: number): Promise<void> {
  return until(`${calls} calls are made`, () => run.calls.length > calls);
}

/** Every row has its result, every call that was made is counted, once, and no row was called without need. */
function expectNothingLost({ journal, calls, findings }: TestRun): void {
  const { ledger, ended, settled } = fold(journal);
  expect(ledger.rows.settled).toBe(ROWS);
  expect(settled).toBe(ROWS);
  expect([...ended].sort()).toEqual([...calls].sort());
  expect([...ledger.openStarts()]).toEqual([]);
  expect([...ledger.unknown, ...ledger.dead]).toEqual([]);
  expect(findings).toEqual([]);
}

it("loses nothing when Redis is killed twice, the second time with its data", async () => {
  const run = await disturbed(async (run, server) => {
    await untilCalled(run, ROWS / 3);
    await server.stop();
    await server.start();
    await untilCalled(run, (2 * ROWS) / 3);
    await server.stop();
    await server.empty();
    await server.start();
  });
  expectNothingLost(run);
  expect(fold(run.journal).ledger.fence).toBeGreaterThanOrEqual(3);
});

it("loses nothing when Redis stands still again and again, and then does what was given up", async () => {
  const run = await disturbed(async (run, server) => {
    for (let time = 1; time <= 6; time++) {
      await untilCalled(run, (time * ROWS) / 8);
      const before = run.unanswered;
      server.signal("SIGSTOP");
      await until("all have given up a step", () => run.unanswered >= before + 6);
      server.signal("SIGCONT");
    }
  });
  expectNothingLost(run);
});

function fold(journal: readonly JournalEvent[]): {
  readonly ledger: Ledger;
  readonly ended: readonly string[];
  readonly settled: number;
} {
  const ended: string[] = [];
  let settled = 0;
  const ledger = new Ledger(new RowTable(), { settled: () => settled++ });
  for (const event of journal) {
    if (!ledger.apply(event)) continue;
    if ((event.event === "attempt" || event.event === "settled") && event.key !== undefined)
      ended.push(`${event.worker}:${event.key}`);
  }
  return { ledger, ended, settled };
}

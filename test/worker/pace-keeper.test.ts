import { describe, expect, it } from "vitest";
import type { PaceReply, PaceReport, PaceStore } from "../../src/queue/pace-store.js";
import { PaceKeeper, type Start } from "../../src/worker/pace-keeper.js";
import { MemoryPaceStore } from "../../src/worker/pace-memory.js";
import { afterTest } from "../support/after-test.js";
import { deferred, until } from "../support/until.js";

const never = new AbortController().signal;

/** A store that keeps what it was told. */
class ListeningStore implements PaceStore {
  readonly reports: PaceReport[] = [];
  readonly #inner = new MemoryPaceStore();

  exchange(key: string, report: PaceReport): Promise<PaceReply> {
    this.reports.push(report);
    return this.#inner.exchange(key, report);
  }
}

function openKeeper(
  store: PaceStore,
  limits: { requestsPerSecond?: number; tokensPerSecond?: number; concurrency?: number } = {},
): PaceKeeper {
  const keeper = new PaceKeeper({
    store,
    key: "account:model",
    requestsPerSecond: limits.requestsPerSecond ?? 0,
    tokensPerSecond: limits.tokensPerSecond ?? 0,
    startPerSecond: 0,
    concurrency: limits.concurrency ?? 100,
    meanTokens: () => 500,
    onStoreError: () => {},
  });
  afterTest(() => keeper.close());
  return keeper;
}

describe("the calls of a process", () => {
  it("begin with some, and more with each answer or soon without one, up to the concurrency", async () => {
    const keeper = openKeeper(new MemoryPaceStore(), { concurrency: 150 });
    const started: Start[] = [];
    for (let call = 0; call < 400; call++)
      void keeper.acquire(() => 0, never).then((start) => started.push(start));
    await until("some have started", () => started.length > 0);
    expect(started).toHaveLength(64);
    for (const start of started.slice(0, 10)) keeper.ended(start, 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toHaveLength(64 + 20);
    await until("all that may be under way are", () => started.length === 160);
    const [one] = started.slice(10);
    if (one !== undefined) keeper.ended(one, 0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(started).toHaveLength(161);
  });

  it("start in the order in which they came when slots are reserved", async () => {
    const keeper = openKeeper(new MemoryPaceStore(), { requestsPerSecond: 500 });
    const order: number[] = [];
    await Promise.all(
      Array.from({ length: 60 }, async (_, index) => {
        const start = await keeper.acquire(() => 0, never);
        order.push(index);
        keeper.ended(start, 0);
      }),
    );
    expect(order).toEqual(Array.from({ length: 60 }, (_, index) => index));
  });

  it("take slots for what calls before them were found to cost", async () => {
    const store = new ListeningStore();
    const keeper = openKeeper(store, { tokensPerSecond: 1_000 });
    let learned = 400;
    const starts = Array.from({ length: 8 }, () => keeper.acquire(() => learned, never));
    keeper.ended((await starts[0]) as Start, 20);
    learned = 20;
    await Promise.all(starts);
    const costs = store.reports.flatMap(({ wants }) => wants);
    expect(costs[0]).toBe(400);
    expect(costs.at(-1)).toBe(20);
  });

  it("leave their place, and the tokens reserved for it, when they are called back", async () => {
    const store = new ListeningStore();
    const keeper = openKeeper(store, { tokensPerSecond: 100 });
    const leaving = new AbortController();
    keeper.ended(await keeper.acquire(() => 10_000, never), 10_000);
    const waiting = keeper.acquire(() => 700, leaving.signal);
    while (!store.reports.some(({ wants }) => wants.includes(700)))
      await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    leaving.abort(new Error("stopping"));
    await expect(waiting).rejects.toThrow("stopping");
    await until("its tokens are given back", () =>
      store.reports.some(({ settledTokens }) => settledTokens === -700),
    );
  });

  it("stop at once when one is refused, before the store has answered", async () => {
    const { reached, reach } = deferred();
    const inner = new MemoryPaceStore();
    let holds = false;
    const store: PaceStore = {
      exchange: async (key, report) => {
        if (holds) await reached;
        return inner.exchange(key, report);
      },
    };
    const keeper = openKeeper(store);
    const first = await keeper.acquire(() => 0, never);
    holds = true;
    keeper.refused(first, { cause: "requests", retryAfterMs: 0 });
    let isStarted = false;
    void keeper
      .acquire(() => 0, never)
      .then(() => {
        isStarted = true;
      });
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isStarted).toBe(false);
    reach();
    while (keeper.reply?.generation !== 1) await new Promise((resolve) => setImmediate(resolve));
    expect(keeper.reply.coolDownMs).toBeGreaterThan(0);
    expect(isStarted).toBe(false);
  });

  it("tell the store again what it could not take", async () => {
    const inner = new ListeningStore();
    let failures = 1;
    const errors: unknown[] = [];
    const keeper = new PaceKeeper({
      store: {
        exchange: (key, report) =>
          report.throttled !== null && failures-- > 0
            ? Promise.reject(new Error("away"))
            : inner.exchange(key, report),
      },
      key: "k",
      requestsPerSecond: 0,
      tokensPerSecond: 0,
      startPerSecond: 0,
      concurrency: 10,
      meanTokens: () => 1,
      onStoreError: (error) => errors.push(error),
    });
    afterTest(() => keeper.close());
    keeper.refused(await keeper.acquire(() => 0, never), { cause: "tokens", retryAfterMs: 0 });
    await until("the store has heard of it", () =>
      inner.reports.some(({ throttled }) => throttled?.cause === "tokens"),
    );
    expect(errors).toHaveLength(1);
  });
});

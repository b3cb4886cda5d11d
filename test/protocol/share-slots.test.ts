import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { shareSlots } from "../../src/protocol/share-slots.js";
import { LOCAL_WORKER } from "../../src/protocol/takeover.js";
import { CoordinatorParts } from "./parts.js";

const LOCAL = `${LOCAL_WORKER}c`;

/** Workers that start as many calls as they may, and end some. */
class Workers {
  readonly calls = new Map<string, number>();
  readonly #parts: CoordinatorParts;
  readonly #numbers = new Map<string, number>();
  localCalls = 0;

  constructor(parts: CoordinatorParts) {
    this.#parts = parts;
    const used = (): number => this.localCalls;
    parts.state.localWorker = {
      leases: () => [],
      get used() {
        return used();
      },
    };
  }

  join(worker: string, capacity: number): void {
    const { hub, state } = this.#parts;
    const beat = { beat: 1, fence: 1, leases: [], capacity };
    hub.beat(worker, beat);
    state.joined.add(worker);
    state.seen.set(worker, { beat, at: 0 });
  }

  leave(worker: string): void {
    const { state, hub } = this.#parts;
    if ((this.calls.get(worker) ?? 0) > 0) return;
    hub.leave(worker);
    state.joined.delete(worker);
    state.seen.delete(worker);
    state.shares.delete(worker);
  }

  /** Starts one call; false: it may not. */
  start(worker: string): boolean {
    const { hub, state } = this.#parts;
    const fence = state.current;
    if (fence === null || !state.joined.has(worker)) return false;
    const reply = hub.start(worker, { fence, leases: [], rows: [], lines: this.#line(worker, 1) });
    if (reply.isGranted) this.#count(worker, 1);
    return reply.isGranted;
  }

  end(worker: string): void {
    if ((this.calls.get(worker) ?? 0) === 0) return;
    this.#parts.hub.append(worker, "server", this.#line(worker, -1));
    this.#count(worker, -1);
  }

  get all(): number {
    return [...this.calls.values()].reduce((sum, calls) => sum + calls, this.localCalls);
  }

  #count(worker: string, by: number): void {
    this.calls.set(worker, (this.calls.get(worker) ?? 0) + by);
    this.#numbers.set(worker, (this.#numbers.get(worker) ?? 0) + 1);
  }

  #line(worker: string, calls: number): { from: number; texts: string[]; calls: number[] } {
    return { from: (this.#numbers.get(worker) ?? 0) + 1, texts: ["{}"], calls: [calls] };
  }
}

const step = fc.record({
  kind: fc.constantFrom(
    "join",
    "leave",
    "start",
    "start",
    "end",
    "share",
    "share",
    "local start",
    "local end",
  ),
  worker: fc.constantFrom("a", "b", "c", "d"),
  capacity: fc.integer({ min: 1, max: 8 }),
});
type Step = typeof step extends fc.Arbitrary<infer One> ? One : never;

function take(workers: Workers, { state }: CoordinatorParts, { kind, worker, capacity }: Step): void {
  if (kind === "join") workers.join(worker, capacity);
  else if (kind === "leave") workers.leave(worker);
  else if (kind === "start") while (workers.start(worker));
  else if (kind === "end") workers.end(worker);
  else if (kind === "local start") workers.localCalls = Math.max(workers.localCalls, state.localShare);
  else if (kind === "local end") workers.localCalls = Math.max(0, workers.localCalls - 1);
}

describe("shareSlots", () => {
  it("never lets more calls be under way than the run may make, whatever workers do while it shares", () => {
    const steps = fc.array(step, { minLength: 20, maxLength: 60 });
    fc.assert(
      fc.property(
        steps,
        steps,
        fc.integer({ min: 1, max: 10 }),
        fc.boolean(),
        (before, meanwhile, concurrency, hasLocal) => {
          const parts = new CoordinatorParts({ concurrency, local: hasLocal ? LOCAL : null });
          const workers = new Workers(parts);
          const rest = [...meanwhile];
          parts.beforeEffect = () => {
            for (const one of rest.splice(0, 2)) if (one.kind !== "share") take(workers, parts, one);
          };
          for (const one of before) {
            if (one.kind === "share") parts.run(shareSlots(parts.state));
            else take(workers, parts, one);
            expect(workers.all).toBeLessThanOrEqual(concurrency);
          }
        },
      ),
      { numRuns: 300 },
    );
  });

  it("gives equal parts, and what a small worker leaves to the others", () => {
    const parts = new CoordinatorParts({ concurrency: 10 });
    const workers = new Workers(parts);
    workers.join("small", 2);
    workers.join("b", 10);
    workers.join("c", 10);
    parts.run(shareSlots(parts.state));
    expect(Object.fromEntries(parts.state.shares)).toEqual({ small: 2, b: 4, c: 4 });
  });

  it("gives a newcomer what is free at once, and the rest once the others' calls have ended", () => {
    const parts = new CoordinatorParts({ concurrency: 4 });
    const workers = new Workers(parts);
    workers.join("a", 4);
    parts.run(shareSlots(parts.state));
    for (let call = 0; call < 3; call++) workers.start("a");
    workers.join("b", 4);
    parts.run(shareSlots(parts.state));
    expect(Object.fromEntries(parts.state.shares)).toEqual({ a: 2, b: 1 });
    workers.end("a");
    parts.run(shareSlots(parts.state));
    expect(Object.fromEntries(parts.state.shares)).toEqual({ a: 2, b: 2 });
  });

  it("writes shares down before workers have them", () => {
    const parts = new CoordinatorParts();
    const workers = new Workers(parts);
    workers.join("a", 10);
    const kinds: string[] = [];
    parts.beforeEffect = ({ kind }) => kinds.push(kind);
    parts.run(shareSlots(parts.state));
    expect(parts.journal).toEqual([{ event: "shares", shares: { a: 10 } }]);
    expect(kinds).toEqual(["hub", "write", "flush", "hub"]);
  });

  it("keeps the slots of a silent worker's calls until they have ended for certain", () => {
    const parts = new CoordinatorParts({ concurrency: 4 });
    new Workers(parts).join("b", 4);
    parts.state.withheld.set("dead", { calls: 3, until: 20 });
    parts.run(shareSlots(parts.state));
    expect(parts.state.shares.get("b")).toBe(1);
    parts.now = 21;
    parts.run(shareSlots(parts.state));
    expect(parts.state.shares.get("b")).toBe(4);
  });
});

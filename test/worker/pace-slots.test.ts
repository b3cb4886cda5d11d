import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SlotQueue, type Waiter } from "../../src/worker/pace-slots.js";

describe("slots in time", () => {
  let now = 0;
  beforeEach(() => {
    now = 0;
    vi.useFakeTimers();
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  const pass = (ms: number): void => {
    for (let passed = 0; passed < ms; passed++) {
      now += 1;
      vi.advanceTimersByTime(1);
    }
  };

  function reserve(dues: readonly number[]): { queue: SlotQueue; starts: number[] } {
    const queue = new SlotQueue(() => now);
    const starts: number[] = [];
    const waiters = dues.map((): Waiter => ({
      cost: () => 0,
      reserved: 0,
      due: null,
      go: () => starts.push(now),
    }));
    for (const waiter of waiters) queue.add(waiter);
    queue.reserve(waiters, dues);
    return { queue, starts };
  }

  it("start each call when its slot begins", () => {
    const { starts } = reserve([50, 100, 100, 200]);
    pass(300);
    expect(starts).toEqual([50, 100, 100, 200]);
  });

  it("catch up evenly after the process was busy", () => {
    const { starts } = reserve([50, 100, 150, 200, 250, 300, 350, 400, 450, 500]);
    now = 180; // and no timer came
    pass(1_000);
    expect(starts[0]).toBeGreaterThanOrEqual(180);
    for (let call = 1; call < starts.length; call++) {
      expect((starts[call] ?? 0) - (starts[call - 1] ?? 0)).toBeGreaterThanOrEqual(45);
    }
    expect((starts.at(-1) ?? 0) - 500).toBeLessThan((starts[0] ?? 0) - 50);
  });

  it("give the places of those who left to nobody", () => {
    const queue = new SlotQueue(() => now);
    const starts: string[] = [];
    const [first, second] = ["first", "second"].map((name): Waiter => ({
      cost: () => 0,
      reserved: 0,
      due: null,
      go: () => starts.push(name),
    }));
    if (first === undefined || second === undefined) throw new Error("two waiters");
    queue.add(first);
    queue.add(second);
    queue.remove(first);
    queue.reserve([first, second], [10, 20]);
    pass(15);
    expect(starts).toEqual([]);
    pass(10);
    expect(starts).toEqual(["second"]);
  });
});

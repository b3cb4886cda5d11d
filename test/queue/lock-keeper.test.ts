import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { LockKeeper, type HeldLock } from "../../src/queue/lock-keeper.js";

describe("the keeper of locks", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("renews every lock that is held at each turn, and none that was released", async () => {
    const renewed: (readonly HeldLock[])[] = [];
    const keeper = new LockKeeper(async (locks) => void renewed.push(locks), 1_000);
    keeper.hold("a", "1");
    keeper.hold("b", "2");
    await vi.advanceTimersByTimeAsync(1_000);
    keeper.release("a", "1");
    await vi.advanceTimersByTimeAsync(1_000);
    expect(renewed).toEqual([
      [
        { jobId: "a", token: "1" },
        { jobId: "b", token: "2" },
      ],
      [{ jobId: "b", token: "2" }],
    ]);
    keeper.close();
  });

  it("tries a renewal again a second after one that failed", async () => {
    let tries = 0;
    const keeper = new LockKeeper(() => {
      tries++;
      return tries < 3 ? Promise.reject(new Error("OOM")) : Promise.resolve();
    }, 15_000);
    keeper.hold("a", "1");
    await vi.advanceTimersByTimeAsync(15_000 + 2_000);
    expect(tries).toBe(3);
    keeper.close();
  });

  it("renews on time although the wall clock is set back", async () => {
    let renewals = 0;
    const keeper = new LockKeeper(async () => void renewals++, 1_000);
    keeper.hold("a", "1");
    vi.setSystemTime(Date.now() - 3_600_000);
    await vi.advanceTimersByTimeAsync(3_000);
    expect(renewals).toBe(3);
    keeper.close();
  });

  it("knows under how many locks a row runs", () => {
    const keeper = new LockKeeper(() => Promise.resolve(), 1_000);
    keeper.hold("a", "1");
    keeper.hold("a", "2");
    expect([keeper.count("a"), keeper.count("b"), keeper.holds("a", "2")]).toEqual([2, 0, true]);
    keeper.release("a", "2");
    expect([keeper.count("a"), keeper.holds("a", "2")]).toEqual([1, false]);
    keeper.close();
  });
});

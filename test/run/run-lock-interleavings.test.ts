import { describe, expect, it } from "vitest";
import { readNewest, tryToTake } from "../../src/run/lock/generations.js";
import type { LockFiles } from "../../src/run/lock/lock-folder.js";
import { formatHolder, type LockHolder } from "../../src/run/lock/lock-holder.js";
import { RunLock } from "../../src/run/lock/run-lock.js";
import { exploreAll, type Process, type Step, type Story } from "../support/interleavings.js";

interface World {
  readonly files: Record<string, string>;
  hasFolder: boolean;
  /** Whose process is gone. */
  readonly gone: string[];
  /** Who works on the run: took the lock and did not begin to release it. */
  readonly inside: string[];
  /** Who took the lock, in order. */
  readonly takers: string[];
}

function holder(nonce: string): LockHolder {
  return { nonce, pid: 1, host: "host", startTicks: "1", space: "here", startedAt: "2026-11-25", beat: 0 };
}

function worldOf(files: Record<string, string>): World {
  const hasFolder = Object.keys(files).some((name) => name !== "0");
  return { files, hasFolder, gone: ["dead", ""], inside: [], takers: [] };
}

const DEAD = worldOf({ "6": formatHolder(holder("dead")), "7": formatHolder(holder("dead")) });

/**
 * The folder as one process sees it. A torn listing makes the worst of one that is not atomic: it shows only what
 * was there from its beginning to its end.
 */
function filesOf(step: Step<World>, isTorn: boolean): LockFiles {
  // a listing has any order: newest first is the one by which the oldest is removed last
  const list = (): string[] => step("list", ({ files }) => Object.keys(files).reverse());
  return {
    list: () => {
      const before = list();
      return isTorn ? list().filter((name) => before.includes(name)) : before;
    },
    read: (name) => step(`read ${name}`, ({ files }) => files[name] ?? null),
    open: () => {
      step("remove the old file", ({ files }) => void delete files["0"]);
      step("make the folder", (world) => void (world.hasFolder = true));
    },
    create: (name, text) =>
      step(`create ${name}`, ({ files, hasFolder }) => {
        if (!hasFolder || Object.hasOwn(files, name)) return false;
        files[name] = text;
        return true;
      }),
    remove: (name) => step(`remove ${name}`, ({ files }) => void delete files[name]),
  };
}

/** One process of a story. */
class Actor {
  readonly #nonce: string;
  readonly #step: Step<World>;
  readonly #files: LockFiles;

  constructor(nonce: string, step: Step<World>, isTorn = false) {
    this.#nonce = nonce;
    this.#step = step;
    this.#files = filesOf(step, isTorn);
  }

  /** Takes the lock from one whose process is gone, or from `victim`; null when it is another's. */
  take(victim?: string): RunLock | null {
    for (;;) {
      const newest = tryToTake(this.#files, holder(this.#nonce), (other) => this.#isFree(other, victim));
      if (newest.holder?.nonce === this.#nonce) return this.enter(newest.generation);
      if (newest.holder !== null && !this.#isFree(newest.holder, victim)) return null;
    }
  }

  enter(generation: number): RunLock {
    this.#step("is inside", ({ inside, takers }) => inside.push(this.#nonce) + takers.push(this.#nonce));
    return new RunLock(this.#files, holder(this.#nonce), {
      generation,
      sinceTaken: () => 0,
      isPredecessorDead: true,
    });
  }

  leave(lock: RunLock): void {
    this.#step("goes out", ({ inside }) => void inside.splice(inside.indexOf(this.#nonce), 1));
    lock.release();
  }

  #isFree(other: LockHolder, victim?: string): boolean {
    return (
      other.nonce === victim || this.#step(`ask for ${other.nonce}`, ({ gone }) => gone.includes(other.nonce))
    );
  }
}

function contender(nonce: string, isTorn = false): Process<World> {
  return (step) => (new Actor(nonce, step, isTorn).take() === null ? "refused" : "won");
}

/** Takes the lock, works for some heartbeats and releases it. */
function worker(nonce: string, beats: number): Process<World> {
  return (step) => {
    const actor = new Actor(nonce, step);
    const lock = actor.take();
    if (lock === null) return "refused";
    for (let beat = 0; beat < beats; beat++) expect(lock.beat()).toBe(true);
    actor.leave(lock);
    return "done";
  };
}

/** Nobody is killed or replaced in it. */
function storyOf(world: World, processes: readonly Process<World>[]): Story<World> {
  return {
    world,
    processes,
    check: ({ inside }) => {
      if (inside.length > 1) throw new Error(`At work at once: ${inside.join(", ")}`); // expect() is slow
    },
    checkEnd: (_ends, { takers }) => expect(takers.length).toBeGreaterThan(0),
  };
}

function sorted(ends: readonly string[]): string[] {
  return ends.toSorted((a, b) => a.localeCompare(b));
}

function exactlyOne(world: World, processes: readonly Process<World>[]): Story<World> {
  const ends = [...processes.slice(1).map(() => "refused"), "won"];
  return {
    ...storyOf(world, processes),
    checkEnd: (all) => expect(sorted(all)).toEqual(ends),
  };
}

describe("Of processes that want the lock at once, exactly one gets it", () => {
  describe.each([
    ["the holder is dead", DEAD, Infinity],
    ["it was never taken", worldOf({}), Infinity],
    ["it was released", worldOf({ "3": formatHolder(holder("earlier"), true) }), Infinity],
    ["the version before left its file", worldOf({ "0": '{"pid":1,"host":"gone","startTicks":"1"}' }), 2],
  ])("when %s", (_state, world, switches) => {
    it("with three of them", () => {
      const three = ["a", "b", "c"].map((nonce) => contender(nonce));
      expect(exploreAll({ ...exactlyOne(world, three), switches })).toBeGreaterThan(1000);
    });

    it("with two of them, whose listings are not atomic", () => {
      const two = ["a", "b"].map((nonce) => contender(nonce, true));
      expect(exploreAll(exactlyOne(world, two))).toBeGreaterThan(100);
    });
  });

  it("when any two of three are killed at any step", () => {
    const nonces = ["a", "b", "c"];
    const states = exploreAll({
      ...storyOf(
        DEAD,
        nonces.map((nonce) => contender(nonce)),
      ),
      checkEnd: () => {},
      switches: 2,
      kills: 2,
      onKill: (world, index) => {
        const nonce = nonces[index]!;
        world.gone.push(nonce);
        if (world.inside.includes(nonce)) world.inside.splice(world.inside.indexOf(nonce), 1);
      },
    });
    expect(states).toBeGreaterThan(10_000);
  });
});

describe("Of processes that come and go, one at most is at work", () => {
  it("when the lock is taken and released, again and again, by two", () => {
    const twice =
      (nonce: string): Process<World> =>
      (step) => {
        return `${worker(`${nonce}1`, 1)(step)} ${worker(`${nonce}2`, 0)(step)}`;
      };
    expect(exploreAll({ ...storyOf(DEAD, [twice("a"), twice("b")]), switches: 2 })).toBeGreaterThan(1000);
  });

  it("when one slept since it saw the lock, which had several holders and many heartbeats meanwhile", () => {
    const processes = [contender("sleeper"), worker("a", 2), worker("b", 0)];
    expect(exploreAll({ ...storyOf(DEAD, processes), switches: 2 })).toBeGreaterThan(1000);
  });

  it("when listings are not atomic, and generations come and go meanwhile", () => {
    const processes = [contender("sleeper", true), worker("a", 2)];
    expect(exploreAll({ ...storyOf(DEAD, processes), switches: 5 })).toBeGreaterThan(1000);
  });
});

describe("A frozen holder that was replaced", () => {
  const frozen: Process<World> = (step) => {
    const lock = new Actor("frozen", step).enter(7);
    for (let beat = 1; beat <= 3; beat++) {
      const wasReplaced = step("read who took the lock", ({ takers }) => takers.length > 1);
      if (!lock.beat()) return "ended";
      if (wasReplaced) return "went on";
    }
    lock.release();
    return "released";
  };
  /** Takes over from the frozen one, and must keep the lock. */
  const successor: Process<World> = (step) => {
    const lock = new Actor("successor", step).take("frozen");
    return lock !== null && [lock.beat(), lock.beat(), lock.isOurs()].every(Boolean) ? "won" : "lost";
  };

  it("learns it from its next heartbeat, and takes nothing from its successor", () => {
    const world = worldOf({ "7": formatHolder(holder("frozen")) });
    const states = exploreAll({
      ...storyOf(world, [frozen, successor]),
      switches: 3,
      check: () => {},
      checkEnd: ([first, second]) => {
        expect(["ended", "released"]).toContain(first);
        expect(second).toBe("won");
      },
    });
    expect(states).toBeGreaterThan(1000);
  });

  it("is replaced by one of two who try", () => {
    const world = worldOf({ "7": formatHolder(holder("frozen")) });
    const taker =
      (nonce: string): Process<World> =>
      (step) =>
        new Actor(nonce, step).take("frozen") === null ? "refused" : "won";
    exploreAll({
      ...storyOf(world, [frozen, taker("a"), taker("b")]),
      switches: 2,
      check: () => {},
      checkEnd: ([, ...takers]) => expect(sorted(takers)).toEqual(["refused", "won"]),
    });
  });
});

describe("The search for a bad order", () => {
  it("finds the one in a protocol that trusts its making of a generation", () => {
    const trusting: Process<World> = (step) => {
      const files = filesOf(step, false);
      const { generation, holder: found } = readNewest(files);
      if (found?.nonce !== "dead") return "refused";
      if (!files.create(String(generation + 1), formatHolder(holder("trusting")))) return "refused";
      new Actor("trusting", step).enter(generation + 1);
      return "won";
    };
    const processes = [trusting, worker("a", 3)];
    expect(() => exploreAll(storyOf(DEAD, processes))).toThrow(/process 0: create 8 → true/);
  });
});

import type { Effect, Steps } from "../../../src/protocol/effects.js";
import { Unanswered } from "../../../src/protocol/hub.js";
import type { Random } from "./random.js";

/** A process: what dies, freezes and is cut off together, and has a clock of its own. */
export class SimProcess {
  readonly name: string;
  isAlive = true;
  frozenUntil = 0;
  /** Nothing gets through, either way. */
  cutUntil = 0;
  /** Half of its requests, or of their answers, are lost. */
  lossyUntil = 0;
  /** Wake-ups so far, and whether one is under way. */
  wakes = 0;
  isWaking = false;
  readonly threads = new Set<Thread>();
  readonly #clock: Clock;

  constructor(name: string, clock: Clock) {
    this.name = name;
    this.#clock = clock;
  }

  /** What its monotonic clock shows. */
  clockAt(now: number): number {
    return this.#clock.offset + now * this.#clock.rate;
  }

  /** How long it takes until its clock has gone on by so much. */
  duration(ms: number): number {
    return ms / this.#clock.rate;
  }
}

export interface Clock {
  readonly offset: number;
  readonly rate: number;
}

/** One generator of a process. */
export interface Thread {
  readonly process: SimProcess;
  /** What it does, in a word. */
  readonly name: string;
  readonly steps: Steps<unknown>;
  readonly perform: (effect: Effect, thread: Thread) => void;
  /** Takes what it threw; absent: the simulation ends with it. */
  readonly onError?: (error: unknown) => void;
  /** Grows with each time that it is resumed, so that a wake-up that comes too late finds nothing. */
  turn: number;
  isSleeping: boolean;
  /** Wake-ups of its process when it last woke. */
  wakes: number;
}

export type NewThread = Pick<Thread, "process" | "name" | "steps" | "perform" | "onError">;

interface Item {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** Time, and what happens in it: a heap of moments, equal ones in random order. */
export class Engine {
  now = 0;
  steps = 0;
  /** Called before each step of a process; may kill it. */
  beforeStep: () => void = () => {};
  /** Whose code runs. */
  #current: SimProcess | null = null;
  readonly #heap: Item[] = [];
  readonly #random: Random;

  constructor(random: Random) {
    this.#random = random;
  }

  at(time: number, run: () => void): void {
    const item = { at: Math.max(time, this.now), order: this.#random.next(), run };
    const heap = this.#heap;
    heap.push(item);
    let index = heap.length - 1;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (!isBefore(item, heap[parent] as Item)) break;
      heap[index] = heap[parent] as Item;
      index = parent;
    }
    heap[index] = item;
  }

  /** Runs one moment; false: there is none before `until`. */
  next(until: number): boolean {
    const heap = this.#heap;
    const top = heap[0];
    if (top === undefined || top.at > until) return false;
    const last = heap.pop() as Item;
    if (heap.length > 0) this.#sink(last);
    this.now = top.at;
    top.run();
    return true;
  }

  spawn(thread: NewThread): void {
    const started: Thread = { ...thread, turn: 0, isSleeping: false, wakes: thread.process.wakes };
    thread.process.threads.add(started);
    this.resume(started, undefined, null, this.now);
  }

  /** Goes on with a thread at a time, with what its effect came to. */
  resume(thread: Thread, value: unknown, error: Error | null, time: number): void {
    const turn = ++thread.turn;
    this.at(time, () => this.#step(thread, turn, value, error));
  }

  unanswered(thread: Thread, time: number): void {
    this.resume(thread, undefined, new Unanswered(), time);
  }

  /**
   * Ends the sleep of a process's threads, once for all that happens in one turn of its event loop. A thread that does not sleep goes
   * on at once when it would. (src/worker/driver.ts)
   */
  wake(process: SimProcess): void {
    process.wakes++;
    if (process.isWaking) return;
    process.isWaking = true;
    this.inProcess(process, this.now, () => {
      process.isWaking = false;
      for (const thread of process.threads)
        if (thread.isSleeping) this.resume(thread, undefined, null, this.now);
    });
  }

  /** Runs something in a process: not while it is frozen, and never once it is dead. */
  inProcess(process: SimProcess, time: number, run: () => void): void {
    this.at(time, () => {
      if (!process.isAlive) return;
      if (process.frozenUntil > this.now) this.inProcess(process, process.frozenUntil, run);
      else this.#enter(process, run);
    });
  }

  /** Runs something in the process whose code runs now, after what is under way: setImmediate. */
  soon(run: () => void): void {
    if (this.#current === null) throw new Error("no process is running");
    this.inProcess(this.#current, this.now, run);
  }

  #step(thread: Thread, turn: number, value: unknown, error: Error | null): void {
    const { process } = thread;
    if (!process.isAlive || thread.turn !== turn) return;
    if (process.frozenUntil <= this.now) {
      this.steps++;
      this.beforeStep();
    }
    if (!process.isAlive) return;
    if (process.frozenUntil > this.now) {
      const wakesAt = process.frozenUntil + this.#random.between(0, 2);
      this.at(wakesAt, () => this.#step(thread, turn, value, error));
      return;
    }
    if (thread.isSleeping) thread.wakes = process.wakes;
    thread.isSleeping = false;
    this.#enter(process, () => this.#advance(thread, value, error));
  }

  #advance(thread: Thread, value: unknown, error: Error | null): void {
    const { process, steps } = thread;
    let next: IteratorResult<Effect, unknown>;
    try {
      next = error === null ? steps.next(value) : steps.throw(error);
    } catch (thrown) {
      process.threads.delete(thread);
      if (thread.onError === undefined) throw thrown;
      thread.onError(thrown);
      return;
    }
    if (next.done === true) process.threads.delete(thread);
    else if (next.value.kind === "sleep") this.#sleep(thread, next.value.ms);
    else thread.perform(next.value, thread);
  }

  #sleep(thread: Thread, ms: number): void {
    const { process } = thread;
    thread.isSleeping = true;
    const isWoken = process.wakes !== thread.wakes && !process.isWaking;
    this.resume(thread, undefined, null, isWoken ? this.now : this.now + Math.max(1, process.duration(ms)));
  }

  #enter(process: SimProcess, run: () => void): void {
    const before = this.#current;
    this.#current = process;
    try {
      run();
    } finally {
      this.#current = before;
    }
  }

  #sink(item: Item): void {
    const heap = this.#heap;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1] as Item, heap[child] as Item)) child++;
      if (!isBefore(heap[child] as Item, item)) break;
      heap[index] = heap[child] as Item;
      index = child;
    }
    heap[index] = item;
  }
}

function isBefore(a: Item, b: Item): boolean {
  return a.at < b.at || (a.at === b.at && a.order < b.order);
}

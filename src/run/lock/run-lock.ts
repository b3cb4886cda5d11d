import { setTimeout as sleep } from "node:timers/promises";
import { clear, readNewest, tryToTake } from "./generations.js";
import { LockFolder, type LockFiles } from "./lock-folder.js";
import { describeHolder, formatHolder, ownHolder, vitality, type LockHolder } from "./lock-holder.js";

/** A holder that cannot be asked counts as dead when its heartbeat was not seen to change for this long. */
const STALE_MS = 60_000;
/** How often such a holder is read meanwhile. Counting reads, not time, leaves out time in which nobody read. */
const POLLS = 120;

export interface RunLockOptions {
  /** Replaces the holder found at first, living or not. @default false */
  readonly takeOver?: boolean;
  /** Whether to watch a holder that cannot be asked; else it counts as living. @default true */
  readonly waitForStale?: boolean;
  /** @default 60_000 */
  readonly staleMs?: number;
  /** Ends the watching with an AbortError. */
  readonly signal?: AbortSignal;
  /** Called once, when the watching begins. */
  readonly onWaiting?: (holder: LockHolder) => void;
}

export interface LockedByOther {
  readonly heldBy: LockHolder;
  /** "process 7", with its host when that is another machine or container. */
  readonly description: string;
}

/**
 * Takes the lock, a folder at `path` (its parent must exist), or says who holds it.
 *
 * A holder of the same boot and PID namespace is asked for: one that is gone is replaced at once, one that lives
 * never (a frozen one lives). Any other is watched: a new heartbeat says that it lives, none for `staleMs` that
 * it is gone. No clock is compared with another machine's.
 */
export async function takeRunLock(
  path: string,
  options: RunLockOptions = {},
): Promise<RunLock | LockedByOther> {
  const { takeOver = false, waitForStale = true, staleMs = STALE_MS, signal, onWaiting } = options;
  const folder = new LockFolder(path);
  const own = ownHolder();
  let first: LockHolder | undefined;
  let replaced: LockHolder | undefined;
  let polls = 0;
  const mayReplace = (holder: LockHolder): boolean => {
    first ??= holder;
    replaced = holder;
    if (takeOver && holder.nonce === first.nonce) return true;
    const life = vitality(holder);
    return life === "gone" || (life === "unknown" && holder.beat === first.beat && polls >= POLLS);
  };
  let isWaiting = false;
  for (; ; polls++) {
    const sinceTaken = stopwatch();
    const { generation, holder } = tryToTake(folder, own, mayReplace);
    if (holder?.nonce === own.nonce) {
      const isPredecessorDead = replaced === undefined || vitality(replaced) === "gone";
      return new RunLock(folder, own, { generation, sinceTaken, isPredecessorDead });
    }
    if (holder !== null && !mayReplace(holder)) {
      const lives = vitality(holder) === "lives" || holder.beat !== first?.beat;
      if (lives || !waitForStale) return { heldBy: holder, description: describeHolder(holder) };
      if (!isWaiting) onWaiting?.(holder);
      isWaiting = true;
    }
    await sleep(staleMs / POLLS, undefined, { signal });
  }
}

/**
 * The holder, if it lives, for display: takes nothing, waits for nothing. One that cannot be asked lives when its
 * last heartbeat is younger than `staleMs` by this machine's clock: wrong where clocks disagree by more.
 */
export function lockHolder(path: string, staleMs = STALE_MS): LockHolder | null {
  const folder = new LockFolder(path);
  const { generation, holder } = readNewest(folder);
  if (holder === null) return null;
  const life = vitality(holder);
  const lives = life === "unknown" ? folder.ageMs(String(generation)) < staleMs : life === "lives";
  return lives ? holder : null;
}

interface TakenLock {
  readonly generation: number;
  readonly sinceTaken: () => number;
  readonly isPredecessorDead: boolean;
}

/** A lock that this process took. See generations.ts for how it is kept on disk. */
export class RunLock {
  /** Nobody held it before, or it is certain that the process that did has ended. */
  readonly isPredecessorDead: boolean;
  readonly #files: LockFiles;
  readonly #own: LockHolder;
  #generation: number;
  #sinceVerified: () => number;
  #isLost = false;

  constructor(files: LockFiles, own: LockHolder, taken: TakenLock) {
    this.#files = files;
    this.#own = own;
    this.#generation = taken.generation;
    this.#sinceVerified = taken.sinceTaken;
    this.isPredecessorDead = taken.isPredecessorDead;
  }

  get nonce(): string {
    return this.#own.nonce;
  }

  /**
   * Milliseconds since the last heartbeat that succeeded. While they are well below `staleMs`, nobody
   * took the lock, unless asked to by `takeOver`. A sleep of the machine counts, if its wall clock tells of it.
   */
  get verifiedMsAgo(): number {
    return this.#sinceVerified();
  }

  /**
   * Gives a sign of life, to be called every few seconds. False: the lock is somebody else's, now and for good.
   * Throws when the disk fails: the lock may still be ours then, and `verifiedMsAgo` grows.
   */
  beat(): boolean {
    const sinceNow = stopwatch();
    const isMade = !this.#isLost && this.#makeNext(formatHolder(this.#own));
    if (!this.isOurs()) return false;
    if (isMade) this.#sinceVerified = sinceNow;
    clear(this.#files, this.#generation);
    return true;
  }

  /** Whether the newest generation names us, read now. */
  isOurs(): boolean {
    if (this.#isLost) return false;
    const { generation, holder } = readNewest(this.#files);
    this.#isLost = holder?.nonce !== this.nonce;
    this.#generation = generation; // a heartbeat that ended with an error may have made it
    return !this.#isLost;
  }

  release(): void {
    for (let attempt = 1; attempt <= 3 && this.isOurs(); attempt++) {
      if (this.#makeNext(formatHolder(this.#own, true))) clear(this.#files, this.#generation + 1);
    }
    this.#isLost = true;
  }

  #makeNext(text: string): boolean {
    return this.#files.create(String(this.#generation + 1), text);
  }
}

/** Milliseconds from now on. The monotonic clock stands still while the machine sleeps, the wall clock can be set. */
function stopwatch(): () => number {
  const startedAt = performance.now();
  const wallStartedAt = Date.now();
  return () => Math.max(performance.now() - startedAt, Date.now() - wallStartedAt);
}

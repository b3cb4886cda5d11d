/**
 * What the processes of one run share: the fence, which leases are live, shares, and the workers' outboxes. Each method is
 * one atomic step on the server.
 */
export interface Hub {
  /** Identity of the server process that answers. It changes with every restart. */
  server(): Awaitable<string>;

  // ---- the coordinator
  claim(fence: Fence): Awaitable<ClaimReply>;
  /** Everything that changes without the coordinator: for its heartbeat. */
  look(): Awaitable<HubView>;
  /**
   * What waits in the outboxes, each from its first line on, at most so many lines of each. Like all that follow, refused to
   * any but the holder of the fence: another would read on where it has not read before.
   */
  read(fence: Fence, most: number): Awaitable<readonly OutboxPart[] | null>;
  /** Lets go of lines that are journaled and flushed. */
  acknowledge(fence: Fence, acks: readonly Ack[]): Awaitable<boolean>;
  /** Makes leases live, and forgets ended ones. */
  makeLive(fence: Fence, live: readonly number[], ended: readonly number[]): Awaitable<boolean>;
  /** From here on no row of these leases starts, and these workers start nothing. Returns the calls that each has under way. */
  drop(fence: Fence, leases: readonly number[], workers: readonly string[]): Awaitable<WorkerCalls | null>;
  /** Sets shares; answers with the calls that each of these workers has under way. */
  share(fence: Fence, shares: Readonly<Record<string, number>>): Awaitable<WorkerCalls | null>;
  /** Rows that are settled although a lease still has them: nobody starts them. */
  withdraw(fence: Fence, rows: readonly number[]): Awaitable<boolean>;
  /** Removes every trace of the run. */
  destroy(): Awaitable<void>;

  // ---- the workers
  /** A sign of life. */
  beat(worker: string, beat: Beat): Awaitable<WorkerView>;
  /** A worker enters a fence: its outbox begins anew with what it keeps. */
  join(worker: string, join: Join): Awaitable<boolean>;
  /** It has gone, and left nothing behind but its outbox. */
  leave(worker: string): Awaitable<void>;
  /** Appends to the outbox; what is there already is passed over. Refused by a server that was not joined. */
  append(worker: string, server: string, lines: Lines): Awaitable<boolean>;
  /** The start gate: all or nothing. */
  start(worker: string, start: StartRequest): Awaitable<StartReply>;
}

export type Awaitable<T> = T | Promise<T>;

/** `nonce` tells two coordinators apart that hold the same number. */
export interface Fence {
  readonly number: number;
  readonly nonce: string;
  readonly server: string;
}

export type ClaimReply =
  | { readonly isClaimed: true }
  | { readonly isClaimed: false; /** The number to beat. */ readonly fence: number };

/** A worker's sign of life. */
export interface Beat {
  /** Changes with each, so that clocks need not agree. */
  readonly beat: number;
  /** Number of the fence that it joined; 0: none. */
  readonly fence: number;
  /** Leases that it has, by number. */
  readonly leases: readonly number[];
  /** Calls that it can make at once. */
  readonly capacity: number;
  /** What only the program around it reads: where it runs, why it cannot serve. */
  readonly about?: unknown;
}

export interface HubView {
  readonly server: string;
  readonly fence: Fence | null;
  readonly beats: Readonly<Record<string, Beat>>;
}

export interface WorkerView {
  readonly server: string;
  readonly fence: Fence | null;
  readonly share: number;
  /** Highest number of its events that is journaled. */
  readonly acked: number;
}

export interface OutboxPart {
  readonly worker: string;
  /** Number of the first line; the others follow without gaps. */
  readonly from: number;
  readonly lines: readonly string[];
}

export interface Ack {
  readonly worker: string;
  readonly seq: number;
}

export type WorkerCalls = Readonly<Record<string, number>>;

/** Lines of an outbox, numbered without gaps from `from` on. `calls`: by how much each changes the calls under way. */
export interface Lines {
  readonly from: number;
  readonly texts: readonly string[];
  readonly calls: readonly number[];
}

export interface Join {
  readonly fence: Fence;
  readonly lines: Lines;
  /** Calls under way. */
  readonly calls: number;
}

export interface StartRequest {
  readonly fence: Fence;
  readonly leases: readonly number[];
  readonly rows: readonly number[];
  /** What waits to be appended, then the marks. */
  readonly lines: Lines;
}

export type StartReply =
  | { readonly isGranted: true }
  /** share: none is left. stale: the fence, the server or a lease is not current. */
  | { readonly isGranted: false; readonly reason: "stale" | "share" }
  | { readonly isGranted: false; readonly reason: "withdrawn"; readonly rows: readonly number[] };

/** The server did not answer: what was asked may have happened, or not. */
export class Unanswered extends Error {
  constructor(cause?: unknown) {
    super("the server did not answer", { cause });
    this.name = "Unanswered";
  }
}

export function isSameFence(a: Fence | null, b: Fence | null): boolean {
  return a !== null && b !== null && a.number === b.number && a.nonce === b.nonce && a.server === b.server;
}

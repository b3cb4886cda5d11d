import type { CallBound, ModelRequest, Result, RowError, Usage } from "../types.js";

/**
 * Version of events, leases and manifests. A coordinator or worker of another version leaves a run alone instead
 * of misreading it. Raise it with every change of meaning.
 */
export const PROTOCOL_VERSION = 2;

/** How far a row that is too long for its translation model has come. */
export interface TranslatedSoFar {
  readonly text: string;
  /** UTF-16 units of the source that are done. */
  readonly upTo: number;
  /** Calls answered. */
  readonly parts: number;
  /** `length` once one part was cut. */
  readonly finishReason: string;
}

/** One row of a lease: its request, and what its earlier attempts came to. */
export interface RowTask {
  readonly rowIndex: number;
  readonly customId: string;
  readonly preset: string | null;
  readonly requestDigest?: string;
  readonly request: ModelRequest;
  /** Tokens that one call cannot exceed; null: not known. */
  readonly bound: CallBound | null;
  /** Attempts that ended and count against the limit. */
  readonly ended: number;
  /** Of these, answers that were billed and could not be used. */
  readonly unusable: number;
  /** Calls that money is reserved for; null: there is no budget. */
  readonly paidCalls: number | null;
  readonly translated?: TranslatedSoFar;
}

/** Rows that one worker may call. */
export interface Lease {
  /** Grows within a fence; `<fence>-<number>` names the queue job. */
  readonly number: number;
  readonly fence: number;
  /** The row lost its worker twice: it is called while nothing else is. */
  readonly isAlone: boolean;
  readonly rows: readonly RowTask[];
}

/**
 * - billed: answered; its tokens are in `usage`, or unknown when that is null
 * - free: an orderly refusal, or nothing was sent
 * - possible: sent, and nobody knows its end: it may have been billed
 */
export type Billing = "billed" | "free" | "possible";

/** Who did it, and its number in the worker's outbox. Events of a run's own coordinator have no number. */
interface FromWorker {
  readonly worker: string;
  readonly seq?: number;
}

/** A start: row, the attempt's key (unique with its worker), customId, bound, number of the lease. */
export type StartedRow = readonly [
  rowIndex: number,
  key: number,
  customId: string,
  bound: StartBound | null,
  lease: number,
];

/** Tokens in and out; flags: 1 thinking is known to be off, 2 the request writes cache entries. */
export type StartBound = readonly [inputTokens: number, outputTokens: number, flags: number];

/** Written before the calls go out. A start without an end may have been billed. */
export interface StartedEvent extends FromWorker {
  readonly event: "started";
  readonly at: string;
  readonly model: string;
  readonly fence: number;
  readonly rows: readonly StartedRow[];
}

/** A call ended without settling its row. */
export interface AttemptEvent extends FromWorker {
  readonly event: "attempt";
  readonly at: string;
  readonly key: number;
  readonly rowIndex: number;
  readonly customId: string;
  readonly model: string;
  /** Whether it is one of the row's attempts: a throttled call is not. */
  readonly counts: boolean;
  readonly billing: Billing;
  readonly usage: Usage | null;
  /** Of a possibly billed call. */
  readonly callBound?: CallBound;
  readonly error?: RowError;
  /** What is translated by now, part by part. */
  readonly translated?: TranslatedSoFar;
}

/** A row has its result. `key` is that of its last call; absent: nothing was called. */
export type SettledEvent = Result & {
  readonly event: "settled";
  readonly worker?: string;
  readonly seq?: number;
  readonly key?: number;
  readonly billing: Billing;
};

/** Rows given back without a call under way. */
export interface ReturnedEvent extends FromWorker {
  readonly event: "returned";
  readonly lease: number;
  readonly fence: number;
  readonly rows: readonly number[];
  /** unpaid: the rows may be called again once money is reserved for it. */
  readonly reason: "stopping" | "no_share" | "unpaid" | "halted";
}

/** Starts that no call followed. */
export interface VoidEvent extends FromWorker {
  readonly event: "void";
  readonly keys: readonly number[];
}

/** A worker met what every row would meet. */
export interface HaltedEvent extends FromWorker {
  readonly event: "halted";
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

export type WorkerEvent =
  StartedEvent | AttemptEvent | SettledEvent | ReturnedEvent | VoidEvent | HaltedEvent;

/** The first line of each coordinator's file. */
export interface RunEvent {
  readonly event: "run";
  readonly version: typeof PROTOCOL_VERSION;
  readonly identity: string;
  readonly at: string;
}

/**
 * The input has changed: rows are other ones from here on. What was paid stays counted, open starts may have been billed. Rows that
 * keep their results have them again, without a call, in the lines that follow.
 */
export interface InputEvent {
  readonly event: "input";
  readonly at: string;
  /** Rows that earlier lines may name. */
  readonly rowsBefore: number;
}

/** Settled rows that are called again. */
export interface RetryEvent {
  readonly event: "retry";
  readonly at: string;
  readonly rowIndexes: readonly number[];
}

export type CoordinatorEvent =
  | RunEvent
  | InputEvent
  /** Written before it is claimed, and again once it is: then with the server it was claimed on. */
  | {
      readonly event: "fence";
      readonly fence: number;
      /** The worker in the coordinator's own process. */
      readonly local?: string;
      readonly server?: string;
      /** Workers that may have started rows unread on a server that lost data: at most so many each. */
      readonly suspects?: Readonly<Record<string, number>>;
    }
  | {
      readonly event: "put";
      readonly lease: number;
      readonly fence: number;
      readonly rows: readonly number[];
    }
  | { readonly event: "shares"; readonly shares: Readonly<Record<string, number>> }
  | { readonly event: "dead" | "known"; readonly worker: string }
  /** Starts of a dead worker that a lost server had, at most. */
  | { readonly event: "unknown"; readonly worker: string; readonly starts: number }
  | RetryEvent;

/** One line of the journal. */
export type JournalEvent = WorkerEvent | CoordinatorEvent;

export function packBound(bound: CallBound | null): StartBound | null {
  if (bound === null) return null;
  const flags = (bound.thinking === false ? 1 : 0) + (bound.writesCache === true ? 2 : 0);
  return [bound.inputTokens, bound.outputTokens, flags];
}

export function unpackBound(bound: StartBound | null): CallBound | null {
  if (bound === null) return null;
  const [inputTokens, outputTokens, flags] = bound;
  return { inputTokens, outputTokens, thinking: (flags & 1) === 0, writesCache: (flags & 2) !== 0 };
}

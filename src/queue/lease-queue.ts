/** A queue job: up to N rows given to one worker. */
export interface LeaseJob {
  /** Unique for all time within the queue: an id that ended is not used again. No colon, not an integer. */
  readonly id: string;
  /** Opaque to the queue, given back unchanged. null: the rows are known to this process (embedded). */
  readonly text: string | null;
}

/** One lease that this process has claimed. */
export interface ClaimedLease extends LeaseJob {
  /** Ends the queue job. Resolves also for a job that is gone; rejects when the server does not answer. */
  complete(): Promise<void>;
}

/**
 * - `waiting`: nobody has claimed it.
 * - `claimed`: somebody has, and has not completed it.
 * - `gone`: the queue does not know it: it ended, was removed, or was lost with the server's data.
 */
export type LeaseState = "waiting" | "claimed" | "gone";

/**
 * One run's queue of leases, first in, first out. Nothing in it is needed to know what became of a row: a lease that
 * is lost is put again under a new id, and one that is claimed twice is refused by the start gate.
 */
export interface LeaseQueue {
  /**
   * Adds leases in one round trip. An id that the queue knows is left as it is, so a put that went unanswered is
   * repeated. An id that ended meanwhile is added again, and the start gate refuses it.
   */
  put(leases: readonly LeaseJob[]): Promise<void>;
  /** The next waiting lease, or null. Never blocks on the server. */
  claim(): Promise<ClaimedLease | null>;
  state(id: string): Promise<LeaseState>;
  /** Best effort: a waiting lease is removed; a claimed one may stay until `destroy`. */
  remove(ids: readonly string[]): Promise<void>;
  /** Removes all waiting leases. */
  drain(): Promise<void>;
  /** How many leases wait. */
  waiting(): Promise<number>;
  /** Removes every trace of this queue from the server. */
  destroy(): Promise<void>;
  /** Ends what this queue opened; a connection that was handed in stays open. */
  close(): Promise<void>;
}

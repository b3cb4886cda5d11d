import type { InputRow } from "../input/row.js";
import type { QueuePayload } from "../queue/payload.js";
import type { RowError } from "../types.js";
import type { Window } from "./window.js";

/** Characters of payload in a batch, so that a few huge rows do not become one huge command. */
const BATCH_CHARACTERS = 4_000_000;
const RETRY_ENQUEUE_MS = 1_000;
/** Rows of the first batches at most: what is busy making a large one starts no call meanwhile. */
const FIRST_BATCH_ROWS = 50;
/**
 * Batches that may be on their way to the queue at once. With one, rows came as slowly as a busy process takes up
 * replies, and every other row that ended found the queue empty.
 */
const BATCHES_UNDER_WAY = 2;
/** How long the first calls are left to begin, before more is made ready for those after them. */
const FIRST_CALLS_MS = 250;

export interface ProducerOptions {
  readonly batches: AsyncIterable<readonly InputRow[]>;
  /** Turns a row into what goes on the queue, or says why it cannot. */
  readonly build: (row: InputRow) => QueuePayload | RowError | Promise<QueuePayload | RowError>;
  readonly isSettled: (rowIndex: number) => boolean;
  /** Rows from this index on are not part of the run. */
  readonly endRow: number;
  /** Adds to the queue; rows already there are left alone. */
  readonly enqueue: (payloads: readonly QueuePayload[]) => Promise<void>;
  /** Settles a row that cannot become a request. */
  readonly reject: (row: InputRow, error: RowError) => void;
  /** Settles a row without a call, when its answer is known; says whether it did. */
  readonly answerAtOnce?: (payload: QueuePayload) => boolean | Promise<boolean>;
  /** Pays for rows before they go on the queue; absent: there is no budget. */
  readonly funds?: Funds;
  readonly window: Window;
  /** Rows handed to the queue at once. */
  readonly batchRows: number;
  /** Rows that can be at work at once. */
  readonly places: number;
  readonly signal: AbortSignal;
  /** The queue server refused rows (out of memory, say); they are offered again. */
  readonly onEnqueueError: (error: Error) => void;
}

export interface Funds {
  /** The row as it goes on the queue, paid for; null when there is no money for it now. */
  reserve(payload: QueuePayload): QueuePayload | null;
  /** Resolves with true when money may have come free; with false when none will, or the signal aborts. */
  room(signal: AbortSignal): Promise<boolean>;
}

/**
 * Streams rows onto the queue, under back-pressure. Returns how many it put there; ends early, with no
 * error, when the signal aborts or no money is left.
 */
export async function produce(options: ProducerOptions): Promise<number> {
  const { window, signal } = options;
  let batch: QueuePayload[] = [];
  let characters = 0;
  let enqueued = 0;
  let batchRows = Math.min(FIRST_BATCH_ROWS, options.batchRows);
  const underWay = new Set<Promise<void>>();

  const flush = async (): Promise<void> => {
    if (batch.length === 0) return;
    await window.room(batch.length, characters);
    if (signal.aborted) return;
    window.take(batch.length, characters);
    const adding = enqueuePatiently(options, batch);
    underWay.add(adding);
    void adding.then(() => underWay.delete(adding));
    enqueued += batch.length;
    batch = [];
    characters = 0;
    if (underWay.size >= (batchRows < options.batchRows ? 1 : BATCHES_UNDER_WAY))
      await Promise.race(underWay);
    if (batchRows === options.batchRows || enqueued < options.places) return;
    batchRows = options.batchRows;
    await window.nextRelease(FIRST_CALLS_MS);
  };

  try {
    for await (const rows of options.batches) {
      for (const row of rows) {
        if (row.rowIndex >= options.endRow) break;
        if (options.isSettled(row.rowIndex)) continue;
        const made = row.problem ?? options.build(row);
        const built = made instanceof Promise ? await made : made;
        if ("kind" in built) {
          options.reject(row, built);
          continue;
        }
        if (options.answerAtOnce !== undefined && (await options.answerAtOnce(built))) continue;
        let paid = options.funds === undefined ? built : options.funds.reserve(built);
        while (paid === null) {
          await flush();
          if (options.funds === undefined || !(await options.funds.room(signal))) return enqueued;
          paid = options.funds.reserve(built);
        }
        batch.push(paid);
        characters += payloadCharacters(built);
        if (batch.length >= Math.min(batchRows, window.size) || characters >= BATCH_CHARACTERS) await flush();
        if (signal.aborted) return enqueued;
      }
      if ((rows.at(-1)?.rowIndex ?? 0) >= options.endRow) break;
      if (signal.aborted) return enqueued;
    }
    await flush();
    return enqueued;
  } finally {
    await Promise.all(underWay);
  }
}

/** Length of a row's payload, but for what is small in any. */
export function payloadCharacters(payload: QueuePayload): number {
  let size = 0;
  for (const { content } of payload.request.messages) {
    if (typeof content === "string") size += content.length;
    else for (const part of content) size += part.type === "text" ? part.text.length : part.url.length;
  }
  return size;
}

async function enqueuePatiently(options: ProducerOptions, batch: readonly QueuePayload[]): Promise<void> {
  for (;;) {
    try {
      await options.enqueue(batch);
      return;
    } catch (error) {
      options.onEnqueueError(error as Error);
      if (options.signal.aborted) return;
      await new Promise((resolve) => setTimeout(resolve, RETRY_ENQUEUE_MS));
    }
  }
}

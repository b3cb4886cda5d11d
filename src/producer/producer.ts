import type { InputRow } from "../input/row.js";
import type { RowTask } from "../protocol/events.js";
import type { RowError } from "../types.js";
import type { Window } from "./window.js";

/** How long the first calls are left to begin, before more is made ready for those after them. */
const FIRST_CALLS_MS = 250;

export interface ProducerOptions {
  readonly batches: AsyncIterable<readonly InputRow[]>;
  /** Turns a row into its task, or says why it cannot be one. */
  readonly build: (row: InputRow) => RowTask | RowError | Promise<RowTask | RowError>;
  readonly isSettled: (rowIndex: number) => boolean;
  /** Rows from this index on are not part of the run. */
  readonly endRow: number;
  /** Settles a row that cannot become a request. */
  readonly reject: (row: InputRow, error: RowError) => void;
  /** Settles a row without a call, when its answer is known; says whether it did. */
  readonly answerAtOnce?: (task: RowTask) => boolean | Promise<boolean>;
  readonly offers: RowOffers;
  readonly window: Window;
  /** Rows of a lease: once there is no room, it is waited for so many. */
  readonly batchRows: number;
  /** Calls that can be under way at once. */
  readonly places: number;
  readonly signal: AbortSignal;
}

/** Where rows go that are to be called. */
export interface RowOffers {
  /** false: there is no money for the row now. */
  offer(task: RowTask): boolean;
  /** Nothing more comes soon: what was offered is put. */
  flush(): void;
  /** Resolves with true when money may have come free; with false when none will. */
  room(signal: AbortSignal): Promise<boolean>;
}

/**
 * Offers the rows of an input, under back-pressure. Returns how many there were; ends early, with no
 * error, when the signal aborts or no money is left.
 */
export async function produce(options: ProducerOptions): Promise<number> {
  const { offers } = options;
  let offered = 0;
  for await (const rows of options.batches) {
    for (const row of rows) {
      if (options.signal.aborted) return offered;
      if (row.rowIndex >= options.endRow) break;
      if (options.isSettled(row.rowIndex)) continue;
      const task = await taskOf(row, options);
      if (task === null) continue;
      if (!(await offerRow(task, options))) return offered;
      offered++;
      if (offered === options.places) await letBegin(options);
    }
    if ((rows.at(-1)?.rowIndex ?? 0) >= options.endRow) break;
  }
  offers.flush();
  return offered;
}

/** null: the row has its result already. */
async function taskOf(row: InputRow, options: ProducerOptions): Promise<RowTask | null> {
  const made = row.problem ?? options.build(row);
  const built = made instanceof Promise ? await made : made;
  if ("kind" in built) {
    options.reject(row, built);
    return null;
  }
  if (options.answerAtOnce !== undefined && (await options.answerAtOnce(built))) return null;
  return built;
}

/** false: there is no money for it, and none will come. */
async function offerRow(task: RowTask, options: ProducerOptions): Promise<boolean> {
  const { offers, window, signal } = options;
  const characters = taskCharacters(task);
  if (!window.hasRoom(1, characters)) {
    offers.flush();
    await window.room(options.batchRows, characters);
    if (signal.aborted) return false;
  }
  while (!offers.offer(task)) {
    offers.flush();
    if (!(await offers.room(signal))) return false;
  }
  window.take(1, characters);
  return true;
}

/** What is busy making many rows starts no call meanwhile. */
async function letBegin({ offers, window }: ProducerOptions): Promise<void> {
  offers.flush();
  await window.nextRelease(FIRST_CALLS_MS);
}

/** Length of a row's request, but for what is small in any. */
export function taskCharacters({ request }: RowTask): number {
  let size = 0;
  for (const { content } of request.messages) {
    if (typeof content === "string") size += content.length;
    else for (const part of content) size += part.type === "text" ? part.text.length : part.url.length;
  }
  return size;
}

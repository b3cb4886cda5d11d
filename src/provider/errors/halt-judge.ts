import { listenForAbort, stopListening } from "../abort-listeners.js";
import { ProviderError } from "../provider.js";

/** So many calls in a row, of a model that had answered, and it is no longer the row. */
export const HALT_AFTER = 5;
/** How long a first failure waits for what becomes of the calls beside it. */
const VERDICT_WITHIN_MS = 5_000;

interface ModelRecord {
  /** It has answered since this process began. */
  hasAnswered: boolean;
  /** Failures since its last answer. */
  inRow: number;
  /** Calls under way, those that wait for a verdict included. */
  open: number;
  readonly waiting: Set<() => void>;
}

/**
 * Judges failures that would end a run by what has worked: a key and a model that have answered do not become
 * unknown with one row, but a firewall may refuse what the row says, and a moderator too.
 *
 * Per model: untried (such a failure ends the run, unless a call beside it is answered meanwhile); working (it fails its
 * row, and the fifth in a row without an answer between ends the run).
 */
export class HaltJudge {
  readonly #models = new Map<string, ModelRecord>();

  began(model: string): void {
    this.#of(model).open += 1;
  }

  answered(model: string): void {
    const record = this.#of(model);
    record.hasAnswered = true;
    record.inRow = 0;
    this.#ended(record);
  }

  /** A call ended otherwise. Returns what it failed with, as it is to be taken. */
  async failed(model: string, error: unknown, signal: AbortSignal): Promise<unknown> {
    const record = this.#of(model);
    try {
      if (!isDoubtful(error)) return error;
      if (!record.hasAnswered) await othersOf(record, signal);
      if (!record.hasAnswered) return error;
      record.inRow += 1;
      const message =
        record.inRow < HALT_AFTER
          ? error.message
          : `${record.inRow} calls in a row were refused: ${error.message}`;
      return judged(error, message, record.inRow < HALT_AFTER ? "row" : "run");
    } finally {
      this.#ended(record);
    }
  }

  #ended(record: ModelRecord): void {
    record.open -= 1;
    if (record.hasAnswered || record.waiting.size >= record.open) for (const go of [...record.waiting]) go();
  }

  #of(model: string): ModelRecord {
    let record = this.#models.get(model);
    if (record === undefined) {
      record = { hasAnswered: false, inRow: 0, open: 0, waiting: new Set() };
      this.#models.set(model, record);
    }
    return record;
  }
}

function isDoubtful(error: unknown): error is ProviderError {
  return error instanceof ProviderError && error.disposition === "run" && !error.isOfAccount;
}

/** Resolves when a call beside this one was answered, or when all that are open wait as well. */
async function othersOf(record: ModelRecord, signal: AbortSignal): Promise<void> {
  if (record.waiting.size + 1 >= record.open || signal.aborted) {
    for (const go of [...record.waiting]) go();
    return;
  }
  await new Promise<void>((resolve) => {
    const go = (): void => {
      clearTimeout(timer);
      stopListening(signal, listener);
      record.waiting.delete(go);
      resolve();
    };
    const listener = { place: -1, abort: go };
    const timer = setTimeout(go, VERDICT_WITHIN_MS);
    listenForAbort(signal, listener);
    record.waiting.add(go);
  });
}

function judged(error: ProviderError, message: string, disposition: "row" | "run"): ProviderError {
  const { kind, code, httpStatus, retryAfterMs, requestId, usage, hint } = error;
  const options = { disposition, kind, code, httpStatus, retryAfterMs, requestId, usage, cause: error };
  return new ProviderError(message, {
    ...options,
    ...(disposition === "run" && { hint }),
    mayHaveBeenBilled: false,
  });
}

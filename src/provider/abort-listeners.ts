/** What can be told to stop. */
export interface Abortable {
  /** Where it stands among the calls of its signal. */
  place?: number;
  abort(reason: unknown): void;
}

interface Listener {
  /**
   * In no order. Not a Set: what comes into and goes out of one in quick succession is kept alive by the tables
   * that it leaves behind, until the old generation of the heap is collected.
   */
  readonly calls: Abortable[];
  readonly onAbort: () => void;
}

/**
 * One listener per signal, however many calls hang on it: an AbortSignal walks its whole list for every
 * listener added or removed, which a thousand concurrent calls under one signal would pay for each call.
 */
const listeners = new WeakMap<AbortSignal, Listener>();

export function listenForAbort(signal: AbortSignal, call: Abortable): void {
  let listener = listeners.get(signal);
  if (listener === undefined) {
    listener = listenerFor(signal);
    listeners.set(signal, listener);
  }
  if (listener.calls.length === 0) signal.addEventListener("abort", listener.onAbort);
  call.place = listener.calls.push(call) - 1;
}

/** Lets go of the signal once the last call is gone: a signal outlives its calls. */
export function stopListening(signal: AbortSignal, call: Abortable): void {
  const listener = listeners.get(signal);
  if (listener === undefined || listener.calls[call.place ?? -1] !== call) return;
  const last = listener.calls.pop();
  if (call.place !== undefined && last !== undefined && last !== call) {
    listener.calls[call.place] = last;
    last.place = call.place;
  }
  if (listener.calls.length === 0) signal.removeEventListener("abort", listener.onAbort);
}

function listenerFor(signal: AbortSignal): Listener {
  const calls: Abortable[] = [];
  return {
    calls,
    onAbort: () => {
      for (const call of [...calls]) call.abort(signal.reason);
    },
  };
}

/** What can be told to stop. */
export interface Abortable {
  abort(reason: unknown): void;
}

interface Listener {
  readonly calls: Set<Abortable>;
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
  if (listener.calls.size === 0) signal.addEventListener("abort", listener.onAbort);
  listener.calls.add(call);
}

/** Lets go of the signal once the last call is gone: a signal outlives its calls. */
export function stopListening(signal: AbortSignal, call: Abortable): void {
  const listener = listeners.get(signal);
  if (listener === undefined || !listener.calls.delete(call)) return;
  if (listener.calls.size === 0) signal.removeEventListener("abort", listener.onAbort);
}

function listenerFor(signal: AbortSignal): Listener {
  const calls = new Set<Abortable>();
  return {
    calls,
    onAbort: () => {
      for (const call of calls) call.abort(signal.reason);
    },
  };
}

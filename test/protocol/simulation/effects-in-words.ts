import type { Effect } from "../../../src/protocol/effects.js";
import type { Hub } from "../../../src/protocol/hub.js";
import type { ProtocolQueue } from "../../../src/protocol/effects.js";

/** An effect in a word or two: the method of hub or queue ("start", "queue put"), "write fence", "flush", "lock", "merge". */
export function nameOf(effect: Effect): string {
  if (effect.kind === "write") return `write ${effect.events[0]?.event.event ?? "nothing"}`;
  if (effect.kind === "queue") return `queue ${methodOf(effect.step)}`;
  return effect.kind === "hub" ? methodOf(effect.step) : effect.kind;
}

/** Which method a step calls, found without carrying it out. */
function methodOf(step: ((hub: Hub) => unknown) | ((queue: ProtocolQueue) => unknown)): string {
  let method = "";
  const listener = new Proxy(
    {},
    {
      get: (_target, name) => () => {
        method = String(name);
      },
    },
  );
  step(listener as Hub & ProtocolQueue);
  return method;
}

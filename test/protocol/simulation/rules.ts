import type { CoordinatorState } from "../../../src/protocol/coordinator-state.js";
import { sleep, type Effect, type LinePlace, type Steps } from "../../../src/protocol/effects.js";
import {
  packBound,
  type JournalEvent,
  type Lease,
  type RowTask,
  type StartedRow,
} from "../../../src/protocol/events.js";
import {
  Unanswered,
  type Fence,
  type Hub,
  type HubView,
  type Lines,
  type StartReply,
  type WorkerCalls,
} from "../../../src/protocol/hub.js";
import type { RemoteWorker } from "../../../src/protocol/remote-worker.js";
import type { Ablation, Around } from "./ablation.js";
import { nameOf } from "./effects-in-words.js";

const NO_PLACE = { offset: 0, length: 1 };

/** Rules of the protocol by name, each with what there would be without it. */
export const RULES = {
  "an event counts once": {
    ledger: (ledger) => {
      ledger.lastSeq = () => 0;
    },
  },
  "the mark is answered before the call": { around: callFirst },
  "marks only for rows that get a slot now": { worker: markWholeLeases },
  "a worker keeps events until they are journaled": {
    worker: ({ outbox }) => {
      const sent = outbox.sent.bind(outbox);
      outbox.sent = (lines) => {
        sent(lines);
        outbox.acknowledge(lines.from + lines.texts.length - 1);
      };
    },
  },
  "the start gate": {
    hub: (hub) => ({
      start: (worker, request) => {
        const reply = hub.start(worker, request) as StartReply;
        if (reply.isGranted || reply.reason !== "stale") return reply;
        void hub.append(worker, hub.server() as string, request.lines);
        return { isGranted: true };
      },
    }),
  },
  "what a worker may have started on a lost server counts": {
    around: () => written((event) => (event.event === "unknown" ? null : withoutSuspects(event))),
  },
  "a file for each coordinator": { isOneFile: true },
  "the stalled check never runs": { hasStalledCheck: true },
  "an unanswered put is not repeated": { around: () => repeatedPut },
  "a dead worker's calls end at their deadline": {
    coordinator: ({ withheld }) => {
      const set = withheld.set.bind(withheld);
      withheld.set = (worker, { calls }) => set(worker, { calls, until: Infinity });
    },
  },
  "rows go back when there is no share": {
    worker: ({ core }) => {
      const giveAllBack = core.giveAllBack.bind(core);
      core.giveAllBack = (reason) => {
        if (reason !== "no_share") giveAllBack(reason);
      };
    },
  },
  "a worker's return is journaled": {
    ledger: (ledger) => {
      const apply = ledger.apply.bind(ledger);
      ledger.apply = (event, ...place) => event.event === "known" || apply(event, ...place);
    },
  },
  "marks go after what waits before them": {
    hub: (hub) => ({
      start: (worker, request) => hub.start(worker, { ...request, lines: onlyMarks(request.lines) }),
    }),
  },
  "appends are refused by a server that was not joined": {
    hub: (hub) => ({ append: (worker, _server, lines) => hub.append(worker, hub.server() as string, lines) }),
  },
  "leases that nobody knows of are looked for": { queue: () => ({ state: () => "waiting" }) },
  "a loss of the server is journaled until it is resolved": { coordinator: forgetSuspects },
  "rows with a late result are withdrawn": { hub: () => ({ withdraw: () => true }) },
  "the run lock decides who stops": { around: fenceDecides },
  "a start is sent soon or withdrawn": { workerTiming: (timing) => ({ ...timing, sendMs: Infinity }) },
  "outboxes are read and let go under the fence only": {
    hub: (hub) => ({
      read: (_fence, most) => hub.read(currentFence(hub), most),
      acknowledge: (_fence, acks) => hub.acknowledge(currentFence(hub), acks),
    }),
  },
  "events are flushed before they are let go": { around: () => unflushed },
  "the fence is above the journal's": {
    coordinator: ({ ledger }) => {
      Object.defineProperty(ledger, "fence", { get: () => 0, set: () => {} });
    },
  },
  "workers of an earlier fence are awaited": {
    coordinator: ({ awaited }) => {
      awaited.set = () => awaited;
    },
  },
  "outboxes are read after a drop": { around: undrained },
  "slots are free when their calls ended": {
    hub: (hub) => ({
      share: (fence, shares) => idle(hub.share(fence, shares) as WorkerCalls | null),
      drop: (fence, leases, workers) => idle(hub.drop(fence, leases, workers) as WorkerCalls | null),
    }),
  },
  "slots of silent workers are withheld": {
    coordinator: ({ withheld }) => {
      withheld.set = () => withheld;
    },
  },
  "shares are journaled": { around: () => written((event) => (event.event === "shares" ? null : event)) },
  "a row that lost two workers runs alone": {
    queue: (queue) => ({
      put: (leases) => queue.put(leases.map((lease): Lease => ({ ...lease, isAlone: false }))),
    }),
  },
  "only deaths alone make a row worker_lost": {
    coordinator: ({ ledger }) => {
      ledger.openCount = () => 1;
    },
  },
  "local starts need a run lock verified a moment ago": {
    coordinator: (state) => {
      Object.defineProperty(state, "verifiedAt", { get: () => Infinity, set: () => {} });
    },
  },
  "starts without a call are voided": {
    worker: ({ outbox }) => {
      const add = outbox.add.bind(outbox);
      outbox.add = (event, calls) => {
        if (event.event !== "void") add(event, calls);
      };
    },
  },
  "the run lock is looked at before a claim": { around: unlockedClaim },
  "a successor reads what others wrote": { around: () => unmerged },
  "leases of earlier fences are void": {
    worker: ({ core }) => {
      core.keepFence = () => {};
    },
  },
  "a retry has its result from a later call": {
    ledger: ({ rows }) => {
      rows.wasUnsettled = () => false;
    },
  },
} satisfies Record<string, Ablation>;
export type Rule = keyof typeof RULES;

/** The call goes out before its mark does, by one effect. */
function callFirst(): Around {
  let pending: Effect | null = null;
  return function* (effect) {
    const before = pending;
    pending = null;
    if (before !== null) yield* anyway(before);
    if (nameOf(effect) !== "start") return (yield effect) as unknown;
    pending = effect;
    return { isGranted: true };
  };
}

function* anyway(effect: Effect): Steps<unknown> {
  try {
    return (yield effect) as unknown;
  } catch (error) {
    if (!(error instanceof Unanswered)) throw error;
    return undefined;
  }
}

/** All rows of a lease are marked when it is claimed, under the keys that their first calls will have. */
function markWholeLeases({ core, outbox }: RemoteWorker): void {
  const keys = new Map<RowTask, number>();
  const take = core.take.bind(core);
  const newCall = core.newCall.bind(core);
  core.take = (lease) => {
    const { fence, number } = lease;
    const rows = lease.rows.map((task): StartedRow => {
      const { key } = newCall({ task, taken: { lease, left: 0 } });
      keys.set(task, key);
      return [task.rowIndex, key, task.customId, packBound(task.bound), number];
    });
    outbox.add({ event: "started", at: core.world.time(), model: "m", fence, rows }, 0);
    take(lease);
  };
  core.newCall = (row) => {
    const key = keys.get(row.task);
    keys.delete(row.task);
    return key === undefined ? newCall(row) : { ...row, key };
  };
}

function written(change: (event: JournalEvent) => JournalEvent | null): Around {
  return function* (effect) {
    if (effect.kind !== "write") return (yield effect) as unknown;
    const events = effect.events.flatMap((line) => {
      const event = change(line.event);
      return event === null ? [] : event === line.event ? [line] : [{ event }];
    });
    const places = events.length === 0 ? [] : ((yield { ...effect, events }) as LinePlace[]);
    let next = 0;
    return effect.events.map(({ event }) => (change(event) === null ? NO_PLACE : places[next++]));
  };
}

/** What is still suspected is not said. */
function withoutSuspects(event: JournalEvent): JournalEvent {
  if (event.event !== "fence" || event.suspects === undefined) return event;
  return { ...event, suspects: {} };
}

function* repeatedPut(effect: Effect): Steps<unknown> {
  for (;;) {
    try {
      return (yield effect) as unknown;
    } catch (error) {
      if (!(error instanceof Unanswered) || nameOf(effect) !== "queue put") throw error;
      yield* sleep(2);
    }
  }
}

/** Of the lines that go with marks only those, under the numbers of the first. */
function onlyMarks({ from, texts, calls }: Lines): Lines {
  const marks = texts.flatMap((text, index) => (text.includes('"event":"started"') ? [index] : []));
  return { from, texts: marks.map((at) => texts[at] ?? ""), calls: marks.map((at) => calls[at] ?? 0) };
}

/** A coordinator does not know what earlier ones suspected. */
function forgetSuspects(state: CoordinatorState): void {
  const { ledger } = state;
  const applyOwn = state.apply.bind(state);
  const apply = ledger.apply.bind(ledger);
  let isOwn = false;
  state.apply = (...line) => {
    isOwn = true;
    applyOwn(...line);
    isOwn = false;
  };
  ledger.apply = (event, ...place) => apply(isOwn ? event : withoutSuspects(event), ...place);
}

/** Who sees a higher fence stops, whoever has the run lock. */
function fenceDecides(): Around {
  let before = "";
  return function* (effect) {
    const name = nameOf(effect);
    const isLoser = name === "lock" && before === "look";
    before = name;
    return isLoser ? false : ((yield effect) as unknown);
  };
}

function currentFence(hub: Hub): Fence {
  const { fence, server } = hub.look() as HubView;
  return { number: 0, nonce: "", ...fence, server };
}

function* unflushed(effect: Effect, thread: string): Steps<unknown> {
  if (thread === "coordinate" && effect.kind === "flush") return undefined;
  return (yield effect) as unknown;
}

/** What is in the outboxes when leases were dropped is read later. */
function undrained(): Around {
  let before = "";
  return function* (effect) {
    const name = nameOf(effect);
    const isDrain = name === "read" && before === "drop";
    before = name;
    return isDrain ? [] : ((yield effect) as unknown);
  };
}

/** No calls are said to be under way. */
function idle(calls: WorkerCalls | null): WorkerCalls | null {
  return calls === null ? null : Object.fromEntries(Object.keys(calls).map((worker) => [worker, 0]));
}

function unlockedClaim(): Around {
  let isClaiming = false;
  return function* (effect) {
    const name = nameOf(effect);
    if (name === "write fence") isClaiming = true;
    else if (name !== "flush" && name !== "lock") isClaiming = false;
    return isClaiming && name === "lock" ? true : ((yield effect) as unknown);
  };
}

function* unmerged(effect: Effect): Steps<unknown> {
  return effect.kind === "merge" ? [] : ((yield effect) as unknown);
}

import type {
  AttemptEvent,
  Billing,
  CoordinatorEvent,
  HaltedEvent,
  JournalEvent,
  ReturnedEvent,
  SettledEvent,
  StartedEvent,
  TranslatedSoFar,
  VoidEvent,
  WorkerEvent,
} from "../protocol/events.js";
import { PROTOCOL_VERSION } from "../protocol/events.js";
import { isResult } from "./check-result.js";
import {
  isAmount,
  isBound,
  isCount,
  isKey,
  isObject,
  isOptionalText,
  isRow,
  isRowError,
  isText,
  isTime,
  isUsageOrNull,
  type Unchecked,
} from "./check-values.js";

type Members = Readonly<Record<string, unknown>>;
type Check = (event: Members, rows: number) => boolean;

const BILLINGS: ReadonlySet<unknown> = new Set<Billing>(["billed", "free", "possible"]);
const REASONS: ReadonlySet<unknown> = new Set<ReturnedEvent["reason"]>([
  "stopping",
  "no_share",
  "unpaid",
  "halted",
]);

const WORKER_EVENTS: Readonly<Record<WorkerEvent["event"], Check>> = {
  started: (event: Unchecked<StartedEvent>, rows) =>
    isText(event.worker) &&
    isTime(event.at) &&
    isText(event.model) &&
    isCount(event.fence) &&
    isEach(event.rows, (row) => isStartedRow(row, rows)),
  attempt: (event: Unchecked<AttemptEvent>, rows) =>
    isText(event.worker) &&
    isTime(event.at) &&
    isKey(event.key) &&
    isRow(event.rowIndex, rows) &&
    isText(event.customId) &&
    isText(event.model) &&
    typeof event.counts === "boolean" &&
    BILLINGS.has(event.billing) &&
    isUsageOrNull(event.usage) &&
    (event.callBound === undefined || isBound(event.callBound)) &&
    (event.error === undefined || isRowError(event.error)) &&
    (event.translated === undefined || isTranslated(event.translated)),
  settled: (event: Unchecked<SettledEvent>, rows) =>
    isOptionalText(event.worker) &&
    (event.key === undefined || isKey(event.key)) &&
    BILLINGS.has(event.billing) &&
    isResult(event, rows),
  returned: (event: Unchecked<ReturnedEvent>, rows) =>
    isText(event.worker) &&
    isCount(event.lease) &&
    isCount(event.fence) &&
    isEach(event.rows, (row) => isRow(row, rows)) &&
    REASONS.has(event.reason),
  void: (event: Unchecked<VoidEvent>) => isText(event.worker) && isEach(event.keys, isKey),
  halted: (event: Unchecked<HaltedEvent>) =>
    isText(event.worker) && isText(event.code) && isText(event.message) && isOptionalText(event.hint),
};

const COORDINATOR_EVENTS: Readonly<Record<CoordinatorEvent["event"], Check>> = {
  run: ({ version, identity, at }) => version === PROTOCOL_VERSION && isText(identity) && isTime(at),
  input: ({ at, rowsBefore }) => isTime(at) && isCount(rowsBefore),
  fence: ({ fence, local, server, suspects }) =>
    isCount(fence) &&
    isOptionalText(local) &&
    isOptionalText(server) &&
    (suspects === undefined || isCounts(suspects)),
  put: (event, rows) =>
    isCount(event["lease"]) && isCount(event["fence"]) && isEach(event["rows"], (row) => isRow(row, rows)),
  shares: ({ shares }) => isCounts(shares),
  dead: ({ worker }) => isText(worker),
  known: ({ worker }) => isText(worker),
  unknown: ({ worker, starts }) => isText(worker) && isCount(starts),
  retry: ({ at, rowIndexes }, rows) => isTime(at) && isEach(rowIndexes, (row) => isRow(row, rows)),
};

const EVENTS = new Map<unknown, Check>(Object.entries({ ...WORKER_EVENTS, ...COORDINATOR_EVENTS }));
const OF_WORKERS: ReadonlySet<unknown> = new Set(Object.keys(WORKER_EVENTS));

/** Whether a value out of JSON is an event of a run with so many rows. */
export function isJournalEvent(value: unknown, rows: number): value is JournalEvent {
  if (!isObject(value)) return false;
  const { seq } = value;
  return (seq === undefined || isKey(seq)) && EVENTS.get(value["event"])?.(value, rows) === true;
}

/** Whether it is one that a worker may send. */
export function isWorkerEvent(value: unknown, rows: number): value is WorkerEvent {
  return isJournalEvent(value, rows) && OF_WORKERS.has(value.event);
}

/** Whether this version knows events of that name. */
export function isKnownEvent(name: unknown): boolean {
  return EVENTS.has(name);
}

function isEach(value: unknown, isOne: (value: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(isOne);
}

function isCounts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every(isCount);
}

function isStartedRow(value: unknown, rows: number): boolean {
  if (!Array.isArray(value)) return false;
  const [rowIndex, key, customId, bound, lease] = value as unknown[];
  return (
    isRow(rowIndex, rows) &&
    isKey(key) &&
    isText(customId) &&
    (bound === null || (isEach(bound, isAmount) && (bound as unknown[]).length === 3)) &&
    isCount(lease)
  );
}

function isTranslated(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { text, upTo, parts, finishReason }: Unchecked<TranslatedSoFar> = value;
  return isText(text) && isCount(upTo) && isCount(parts) && isText(finishReason);
}

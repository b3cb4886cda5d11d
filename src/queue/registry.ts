import type { Redis } from "ioredis";
import { z } from "zod";
import type { ProcessIdentity } from "../process-identity.js";
import { PAYLOAD_VERSION } from "./payload.js";

/** Reports of a run that nobody looks after vanish in the end. */
const REPORTS_TTL_MS = 24 * 60 * 60 * 1000;

/** How long a coordinator's word on the state of the queue holds without being repeated. */
const EPOCH_TTL_MS = 15_000;

const RUNS_KEY = "promptmill:runs";
const runKey = (runId: string, part: string): string => `promptmill:run:${runId}:${part}`;

/** What a worker must know to serve a run. Names a provider; never a host, a key or a header. */
export const runTicketSchema = z.object({
  v: z.literal(PAYLOAD_VERSION),
  runId: z.string().regex(/^[A-Za-z0-9._-]{1,200}$/),
  provider: z.string(),
  region: z.string().nullable(),
  protocol: z.enum(["openai", "dashscope"]),
  attempts: z.int().min(1),
  timeoutMs: z.number().positive(),
  concurrency: z.int().min(1),
  limits: z
    .object({
      requestsPerMinute: z.number().positive().optional(),
      tokensPerMinute: z.number().positive().optional(),
    })
    .optional(),
});
export type RunTicket = z.infer<typeof runTicketSchema>;

/** A live run as a worker sees it: one it can serve, or one of another version. */
export type AnnouncedRun =
  | { readonly runId: string; readonly ticket: RunTicket }
  | { readonly runId: string; readonly ticket: null; readonly version: unknown };

/** Why a run stops for everybody. */
export interface Halt {
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** A worker's sign of life. `beat` changes with each, so that clocks need not agree. */
export interface WorkerReport {
  readonly workerId: string;
  /** null: it serves the run; else why it cannot. */
  readonly refusal: string | null;
  readonly concurrency: number;
  readonly beat: number;
  /** Name of its connection in the server's CLIENT LIST; null: not to be found there. */
  readonly connectionName: string | null;
  /** Lets a coordinator on the same machine see whether it lives; null where that cannot be told. */
  readonly process: ProcessIdentity | null;
  /** Its model server does not answer; absent: it does, as far as is known. */
  readonly down?: WorkerOutage | undefined;
}

export interface WorkerOutage {
  readonly code: string;
  readonly forMs: number;
  readonly probeInMs: number;
  readonly wasAnswered: boolean;
}

const workerReportSchema = z.object({
  workerId: z.string().min(1),
  refusal: z.string().nullable(),
  concurrency: z.number(),
  beat: z.number(),
  connectionName: z.string().nullable(),
  process: z.object({ pid: z.int(), startTicks: z.string(), space: z.string() }).nullable(),
  down: z
    .object({ code: z.string(), forMs: z.number(), probeInMs: z.number(), wasAnswered: z.boolean() })
    .optional(),
});

/**
 * How coordinators and workers on one Redis find each other.
 *
 * The *epoch* of a run is the identity of the Redis process on which its coordinator has checked the queue
 * against the journal, and a word of its own for each check. A worker starts no row while it is not of the
 * server it talks to: a Redis that came back with a little less than it had may offer rows that are settled.
 */
export class RunRegistry {
  readonly #redis: Redis;

  constructor(redis: Redis) {
    this.#redis = redis;
  }

  async announce(ticket: RunTicket): Promise<void> {
    await this.#redis.hset(RUNS_KEY, ticket.runId, JSON.stringify(ticket));
  }

  /** The run has ended or pauses; `forever` removes all that is kept about it. */
  async withdraw(runId: string, forever: boolean): Promise<void> {
    await this.#redis.hdel(RUNS_KEY, runId);
    if (forever) {
      await this.#redis.unlink(runKey(runId, "halt"), runKey(runId, "workers"), runKey(runId, "epoch"));
    }
  }

  async isAnnounced(runId: string): Promise<boolean> {
    return (await this.#redis.hexists(RUNS_KEY, runId)) === 1;
  }

  async runs(): Promise<AnnouncedRun[]> {
    const all = await this.#redis.hgetall(RUNS_KEY);
    return Object.entries(all).map(([runId, text]) => {
      const value = parseJson(text);
      const parsed = runTicketSchema.safeParse(value);
      if (parsed.success && parsed.data.runId === runId) return { runId, ticket: parsed.data };
      return { runId, ticket: null, version: (value as { v?: unknown } | null)?.v };
    });
  }

  async halt(runId: string, halt: Halt): Promise<void> {
    await this.#redis.set(runKey(runId, "halt"), JSON.stringify(halt), "NX");
  }

  async halted(runId: string): Promise<Halt | null> {
    const text = await this.#redis.get(runKey(runId, "halt"));
    return text === null ? null : (parseJson(text) as Halt | null);
  }

  async clearHalt(runId: string): Promise<void> {
    await this.#redis.unlink(runKey(runId, "halt"));
  }

  async reportWorker(runId: string, report: WorkerReport): Promise<void> {
    const key = runKey(runId, "workers");
    await this.#redis
      .pipeline()
      .hset(key, report.workerId, JSON.stringify(report))
      .pexpire(key, REPORTS_TTL_MS)
      .exec();
  }

  async forgetWorker(runId: string, workerId: string): Promise<void> {
    await this.#redis.hdel(runKey(runId, "workers"), workerId);
  }

  /** The last report of every worker that has not been forgotten, whether it lives or not. */
  async workers(runId: string): Promise<WorkerReport[]> {
    const all = await this.#redis.hgetall(runKey(runId, "workers"));
    return Object.values(all).flatMap((text) => {
      const parsed = workerReportSchema.safeParse(parseJson(text));
      return parsed.success ? [parsed.data] : [];
    });
  }

  /** Names of the connections that the server has right now; null when it does not tell. */
  async connectionNames(): Promise<Set<string> | null> {
    try {
      const list = String(await this.#redis.client("LIST"));
      return new Set([...list.matchAll(/ name=(\S*)/g)].map(([, name]) => name ?? ""));
    } catch {
      return null;
    }
  }

  /** Identity of the Redis process this connection talks to right now. */
  async serverId(): Promise<string> {
    const info = await this.#redis.info("server");
    return /^run_id:(\S+)/m.exec(info)?.[1] ?? "unknown";
  }

  async epoch(runId: string): Promise<string | null> {
    return await this.#redis.get(runKey(runId, "epoch"));
  }

  /** Holds for a while only: a coordinator that died vouches for nothing. */
  async setEpoch(runId: string, epoch: string): Promise<void> {
    await this.#redis.set(runKey(runId, "epoch"), epoch, "PX", EPOCH_TTL_MS);
  }

  async clearEpoch(runId: string): Promise<void> {
    await this.#redis.unlink(runKey(runId, "epoch"));
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return null;
  }
}

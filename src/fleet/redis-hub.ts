import { z } from "zod";
import {
  Unanswered,
  type Ack,
  type Beat,
  type ClaimReply,
  type Fence,
  type Hub,
  type HubView,
  type Join,
  type Lines,
  type OutboxPart,
  type StartReply,
  type StartRequest,
  type WorkerCalls,
  type WorkerView,
} from "../protocol/hub.js";
import type { HubConnection, Word } from "./hub-connection.js";
import type { HubScript } from "./hub-scripts.js";

/** How often a coordinator that looks lets the keys live on. */
const RENEWAL_MS = 24 * 60 * 60 * 1000;

/** Empty outboxes that are read with the others, since something may be in them next time. */
const MOST_EMPTY = 100;

const beatSchema = z.object({
  beat: z.number(),
  fence: z.number(),
  leases: z.array(z.number()),
  capacity: z.number(),
  about: z.unknown().optional(),
});
const fenceSchema = z.tuple([z.number(), z.string(), z.string()]);

/** Steps of this process, in the order of sending. */
let steps = 0;

/**
 * The hub of one run on Redis: each method is one script, so it happens as a whole or not at all. All reject as the connection does.
 */
export class RedisHub implements Hub {
  readonly #connection: HubConnection;
  readonly #prefix: string;
  #renewedAt = -Infinity;
  /** Workers whose outboxes are read. */
  #outboxes: ReadonlySet<string> = new Set();

  /** `identity`: the run's. */
  constructor(connection: HubConnection, identity: string) {
    this.#connection = connection;
    this.#prefix = `promptmill:${identity}:`;
  }

  async server(): Promise<string> {
    const id = serverOf(await this.#connection.ask((redis) => redis.info("server")));
    if (id === undefined) throw new Error("This Redis does not tell its run_id (INFO server).");
    return id;
  }

  async claim(fence: Fence): Promise<ClaimReply> {
    const reply = await this.#run("claim", [...holder(fence), fence.number]);
    return reply === "claimed" ? { isClaimed: true } : { isClaimed: false, fence: Number(reply) };
  }

  async look(): Promise<HubView> {
    const now = performance.now();
    const isDue = now - this.#renewedAt > RENEWAL_MS;
    const [server, fence, flat] = (await this.#run("look", [isDue ? 1 : 0])) as [
      string,
      string | null,
      string[],
    ];
    if (isDue) this.#renewedAt = now;
    const beats: Record<string, Beat> = {};
    for (let at = 0; at < flat.length; at += 2) {
      const beat = beatSchema.safeParse(parseJson(flat[at + 1]));
      if (beat.success) beats[flat[at] as string] = beat.data;
    }
    return { server, fence: parseFence(fence), beats };
  }

  /**
   * Not a script, since lines that pass through Lua cost Redis three times as much; nor a transaction, since none is taken while
   * memory is full, when outboxes most need to be read. It stands if nobody joined, acknowledged or claimed meanwhile.
   */
  async read(fence: Fence, most: number): Promise<OutboxPart[] | null> {
    const run = `${this.#prefix}run`;
    for (;;) {
      const workers = [...this.#outboxes];
      const numbering = ["fence", ...workers.flatMap((worker) => [`joined:${worker}`, `acked:${worker}`])];
      const replies = await this.#connection.commands([
        ["hmget", run, ...numbering],
        ["info", "server"],
        ["smembers", `${this.#prefix}outboxes`],
        ...workers.map((worker) => ["lrange", `${this.#prefix}outbox:${worker}`, 0, most - 1] as const),
        ["hmget", run, ...numbering],
      ]);
      const [before, info, waiting, ...lists] = replies as [string[], string, string[], ...string[][]];
      const after = lists.pop() as string[];
      if (after[0] !== holder(fence)[0] || serverOf(info) !== fence.server) return null;
      const isComplete = waiting.every((worker) => this.#outboxes.has(worker));
      if (!isComplete || workers.length > MOST_EMPTY + waiting.length) this.#outboxes = new Set(waiting);
      if (!isComplete || before.some((value, index) => value !== after[index])) continue;
      return workers.flatMap((worker, index) => {
        const lines = lists[index] as string[];
        return lines.length === 0 ? [] : { worker, from: Number(after[2 * index + 2] ?? 0) + 1, lines };
      });
    }
  }

  async acknowledge(fence: Fence, acks: readonly Ack[]): Promise<boolean> {
    const words = acks.flatMap(({ worker, seq }) => [worker, seq]);
    return isDone(await this.#run("acknowledge", [...holder(fence), ...words]));
  }

  async makeLive(fence: Fence, live: readonly number[], ended: readonly number[]): Promise<boolean> {
    const words = [...holder(fence), ++steps, live.length, ...live, ...ended];
    return isDone(await this.#run("makeLive", words));
  }

  async drop(
    fence: Fence,
    leases: readonly number[],
    workers: readonly string[],
  ): Promise<WorkerCalls | null> {
    const words = [...holder(fence), ++steps, leases.length, ...leases, ...workers];
    return callsOf(workers, await this.#run("drop", words));
  }

  async share(fence: Fence, shares: Readonly<Record<string, number>>): Promise<WorkerCalls | null> {
    const words = [...holder(fence), ++steps, ...Object.entries(shares).flat()];
    return callsOf(Object.keys(shares), await this.#run("share", words));
  }

  async withdraw(fence: Fence, rows: readonly number[]): Promise<boolean> {
    return isDone(await this.#run("withdraw", [...holder(fence), ...rows]));
  }

  async destroy(): Promise<void> {
    await this.#run("destroy", []);
  }

  async beat(worker: string, beat: Beat): Promise<WorkerView> {
    const [server, fence, share, acked] = (await this.#run("beat", [worker, JSON.stringify(beat)])) as [
      string,
      string | null,
      number,
      number,
    ];
    return { server, fence: parseFence(fence), share, acked };
  }

  async join(worker: string, { fence, lines, calls }: Join): Promise<boolean> {
    const words = [worker, lines.from, calls, "", ...holder(fence), ++steps, ...lines.texts];
    return isDone(await this.#run("join", words));
  }

  async leave(worker: string): Promise<void> {
    await this.#run("leave", [worker]);
  }

  async append(worker: string, server: string, lines: Lines): Promise<boolean> {
    return isDone(await this.#run("append", [...head(worker, lines), server, ...lines.texts]));
  }

  async start(worker: string, { fence, leases, rows, lines }: StartRequest): Promise<StartReply> {
    const counts = [leases.length, rows.length];
    const reply = await this.#run("start", [
      ...head(worker, lines),
      ...holder(fence),
      ...counts,
      ...leases,
      ...rows,
      ...lines.texts,
    ]);
    if (Array.isArray(reply)) return { isGranted: false, reason: "withdrawn", rows: reply.map(Number) };
    if (reply === "granted") return { isGranted: true };
    return { isGranted: false, reason: reply === "share" ? "share" : "stale" };
  }

  async #run(script: HubScript, words: readonly Word[]): Promise<unknown> {
    const reply = await this.#connection.run(script, this.#prefix, words);
    if (reply === "overtaken") throw new Unanswered("a later step came before");
    return reply;
  }
}

function serverOf(info: string): string | undefined {
  return /^run_id:([0-9a-f]+)/m.exec(info)?.[1];
}

/** Fences are compared as texts. */
function holder({ number, nonce, server }: Fence): [string, string] {
  return [JSON.stringify([number, nonce, server]), server];
}

function parseFence(text: string | null): Fence | null {
  if (text === null) return null;
  const [number, nonce, server] = fenceSchema.parse(JSON.parse(text));
  return { number, nonce, server };
}

function head(worker: string, { from, calls }: Lines): Word[] {
  return [worker, from, calls.reduce((sum, each) => sum + each, 0), calls.join(",")];
}

function isDone(reply: unknown): boolean {
  return reply === "done";
}

function callsOf(workers: readonly string[], reply: unknown): WorkerCalls | null {
  if (!Array.isArray(reply)) return null;
  return Object.fromEntries(workers.map((worker, index) => [worker, Number(reply[index])]));
}

function parseJson(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "") as unknown;
  } catch {
    return null;
  }
}

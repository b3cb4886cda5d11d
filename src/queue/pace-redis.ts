import type { Redis } from "ioredis";
import { PACE_SCRIPT } from "./pace-script.js";
import type { PaceReply, PaceReport, PaceStore } from "./pace-store.js";

type RedisWithPace = Redis & {
  promptmillPace: (keys: number, key: string, ...args: (string | number)[]) => Promise<unknown>;
};
type RawReply = [number, number, number, number, string, string, number, number[]];

/**
 * The pace of everybody on one Redis, by that Redis' clock: one script call per exchange.
 *
 * `now` replaces the clock, in milliseconds; for tests.
 */
export class RedisPaceStore implements PaceStore {
  readonly #redis: RedisWithPace;
  readonly #now: (() => number) | null;

  constructor(redis: Redis, now: (() => number) | null = null) {
    redis.defineCommand("promptmillPace", { lua: PACE_SCRIPT });
    this.#redis = redis as RedisWithPace;
    this.#now = now;
  }

  async exchange(key: string, report: PaceReport): Promise<PaceReply> {
    const { throttled } = report;
    const raw = (await this.#redis.promptmillPace(
      1,
      `promptmill:pace:${key}`,
      this.#now === null ? "" : this.#now(),
      report.requestsPerSecond,
      report.tokensPerSecond,
      report.startPerSecond,
      report.settledTokens,
      report.meanTokens,
      throttled?.cause ?? "",
      throttled?.generation ?? 0,
      throttled?.retryAfterMs ?? 0,
      report.seen.length,
      ...report.seen.flatMap(({ ageMs, requests }) => [ageMs, requests]),
      ...report.wants,
    )) as RawReply;
    const [controlled, generation, coolDownMs, throttledForMs, requests, tokens, isGiven, waitsMs] = raw;
    return {
      controlled: controlled === 1,
      generation,
      coolDownMs,
      throttledForMs,
      requestsPerSecond: Number(requests),
      tokensPerSecond: Number(tokens),
      isGiven: isGiven === 1,
      waitsMs,
    };
  }
}

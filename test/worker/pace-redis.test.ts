import * as fc from "fast-check";
import { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import { silentLog } from "../../src/log.js";
import { RedisPaceStore } from "../../src/queue/pace-redis.js";
import type { PaceReply, PaceReport, PaceStore } from "../../src/queue/pace-store.js";
import { createPacer } from "../../src/worker/pace-create.js";
import { MemoryPaceStore } from "../../src/worker/pace-memory.js";
import { afterTest } from "../support/after-test.js";
import { redisUrl } from "../support/redis-url.js";
import { paceReport, wants } from "./pace-reports.js";

const START = 1_700_000_000_000;
let keys = 0;
const freshKey = (): string => `test-${process.pid}-${Date.now()}-${keys++}`;

function openRedis(): Redis {
  const redis = new Redis(redisUrl());
  afterTest(() => redis.quit());
  return redis;
}

const reports: fc.Arbitrary<PaceReport> = fc.record({
  requestsPerSecond: fc.constantFrom(0, 0, 0.5, 10, 400),
  tokensPerSecond: fc.constantFrom(0, 0, 100, 50_000),
  startPerSecond: fc.constantFrom(0, 3, 10),
  seen: fc.array(fc.record({ ageMs: fc.nat(2_000), requests: fc.integer({ min: -5, max: 60 }) }), {
    maxLength: 3,
  }),
  settledTokens: fc.integer({ min: -3_000, max: 3_000 }),
  meanTokens: fc.constantFrom(1, 512, 2_345.5),
  throttled: fc.option(
    fc.record({
      cause: fc.constantFrom("requests" as const, "tokens" as const, "burst" as const),
      generation: fc.nat(6),
      retryAfterMs: fc.constantFrom(0, 0, 3_000, 90_000),
    }),
    { freq: 4 },
  ),
  wants: fc.array(fc.nat(4_000), { maxLength: 12 }),
});
const steps = fc.array(fc.tuple(fc.constantFrom(1, 40, 700, 2_500, 15_000, 70_000), reports), {
  minLength: 5,
  maxLength: 40,
});

/** Equal but for the last digits: Lua and JavaScript round powers differently. */
function expectSame(shared: PaceReply | undefined, memory: PaceReply | undefined): void {
  const { waitsMs = [], requestsPerSecond = 0, tokensPerSecond = 0, ...rest } = memory ?? {};
  expect(shared).toMatchObject(rest);
  expectNear(shared?.requestsPerSecond, requestsPerSecond);
  expectNear(shared?.tokensPerSecond, tokensPerSecond);
  expect(shared?.waitsMs).toHaveLength(waitsMs.length);
  for (const [index, wait] of waitsMs.entries())
    expect(Math.abs((shared?.waitsMs[index] ?? -9) - wait)).toBeLessThanOrEqual(1);
}

/** To nine digits, however large: a pace that nothing limits grows into the billions. */
function expectNear(received: number | undefined, expected: number): void {
  expect(Math.abs((received ?? Number.NaN) - expected)).toBeLessThanOrEqual(1e-9 * Math.max(1, expected));
}

describe("the pace in Redis", () => {
  it("answers every report as the pace in memory does", async () => {
    const redis = openRedis();
    await fc.assert(
      fc.asyncProperty(steps, async (sequence) => {
        let now = START;
        const clock = (): number => now;
        const stores: PaceStore[] = [new MemoryPaceStore(clock), new RedisPaceStore(redis, clock)];
        const key = freshKey();
        for (const [elapsed, report] of sequence) {
          now += elapsed + 0.25;
          const [memory, shared] = await Promise.all(stores.map((store) => store.exchange(key, report)));
          expectSame(shared, memory);
        }
        await redis.unlink(`promptmill:pace:${key}`);
      }),
      { numRuns: 60 },
    );
  });

  it("gives 50 contenders together no more than the limit, and each its share", async () => {
    const key = freshKey();
    let now = START;
    const stores = Array.from({ length: 50 }, () => new RedisPaceStore(openRedis(), () => now));
    const granted = stores.map(() => 0);
    const slots: number[] = [];
    // Each asks again when its slot has come, all at once, as fast as the server takes it.
    const due = stores.map(() => START);
    for (let step = 0; step < 100; step++) {
      now = START + step * 100;
      await Promise.all(
        stores.map(async (store, index) => {
          if ((due[index] ?? 0) > now) return;
          const { waitsMs } = await store.exchange(
            key,
            paceReport({ requestsPerSecond: 40, wants: wants(1) }),
          );
          const slot = now + (waitsMs[0] ?? 0);
          due[index] = slot;
          slots.push(slot);
          granted[index] = (granted[index] ?? 0) + 1;
        }),
      );
    }
    const inTenSeconds = slots.filter((slot) => slot < START + 10_000).length;
    expect(inTenSeconds).toBeLessThanOrEqual(400);
    expect(inTenSeconds).toBeGreaterThan(370);
    expect(Math.max(...granted) - Math.min(...granted)).toBeLessThanOrEqual(1);
  });

  it("keeps no key of an account, and forgets what nobody asks for", async () => {
    const redis = openRedis();
    const key = freshKey();
    await new RedisPaceStore(redis).exchange(key, paceReport({ requestsPerSecond: 1 }));
    const ttl = await redis.pttl(`promptmill:pace:${key}`);
    expect(ttl).toBeGreaterThan(0);
    expect(ttl).toBeLessThanOrEqual(3_600_000);
  });

  it("asks Redis only now and then while nothing limits or throttles", async () => {
    const redis = openRedis();
    const pacer = createPacer({
      redis,
      account: freshKey(),
      limits: {},
      concurrency: 50,
      beginsSlowly: false,
      log: silentLog,
    });
    afterTest(() => pacer.close());
    let exchanges = 0;
    const command = redis as unknown as { promptmillPace: (...args: unknown[]) => Promise<unknown> };
    const original = command.promptmillPace.bind(redis);
    command.promptmillPace = (...args) => {
      exchanges++;
      return original(...args);
    };
    const { signal } = new AbortController();
    const request = { model: "m", messages: [{ role: "user" as const, content: "x" }], parameters: {} };
    const beganAt = performance.now();
    for (let call = 0; call < 5_000; call++) {
      const permit = await pacer.acquire(request, signal);
      permit.succeeded({ inputTokens: 1, outputTokens: 1, cachedInputTokens: 0, reasoningTokens: 0 });
    }
    // One when it begins, and two a second.
    expect(exchanges).toBeLessThanOrEqual(2 + ((performance.now() - beganAt) / 1_000) * 2);
  });
});

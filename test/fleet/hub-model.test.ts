import { randomUUID } from "node:crypto";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { RedisHub } from "../../src/fleet/redis-hub.js";
import { MemoryHub } from "../../src/protocol/memory-hub.js";
import type { Beat, Fence, Hub, Lines, OutboxPart } from "../../src/protocol/hub.js";
import { openConnection, openRedis } from "./hubs.js";

const WORKERS = ["w", "v", "worker-é/1"];
const ELSEWHERE = "0123456789abcdef0123456789abcdef01234567";

/** One call of a hub's method. */
type Call = readonly [name: keyof Hub, ...words: unknown[]];

/** Calls on a run of few workers, leases and rows; most are by the fence that is claimed at first, and for this server. */
function calls(here: string): fc.Arbitrary<Call> {
  const server = fc.constantFrom(here, here, here, here, here, here, here, ELSEWHERE);
  const fence: fc.Arbitrary<Fence> = fc.record({
    number: fc.constantFrom(1, 1, 1, 1, 2, 3),
    nonce: fc.constantFrom("a", "a", "a", "b"),
    server,
  });
  const worker = fc.constantFrom(...WORKERS);
  const number = fc.integer({ min: 0, max: 5 });
  const numbers = fc.array(number, { maxLength: 4 });
  const entries = fc.array(fc.tuple(fc.string(), fc.integer({ min: -1, max: 2 })), { maxLength: 6 });
  const lines: fc.Arbitrary<Lines> = fc.tuple(fc.integer({ min: 1, max: 6 }), entries).map(([from, all]) => ({
    from,
    texts: all.map(([text]) => text),
    calls: all.map(([, change]) => change),
  }));
  const beat: fc.Arbitrary<Beat> = fc.record(
    { beat: number, fence: number, leases: numbers, capacity: number, about: fc.jsonValue() },
    { requiredKeys: ["beat", "fence", "leases", "capacity"] },
  );
  const acks = fc.array(fc.record({ worker, seq: fc.integer({ min: 0, max: 9 }) }), { maxLength: 3 });
  const is = (name: keyof Hub): fc.Arbitrary<keyof Hub> => fc.constant(name);
  return fc.oneof(
    { weight: 2, arbitrary: fc.tuple(is("claim"), fence) },
    { weight: 1, arbitrary: fc.tuple(is("look")) },
    { weight: 3, arbitrary: fc.tuple(is("read"), fence, fc.integer({ min: 1, max: 4 })) },
    { weight: 3, arbitrary: fc.tuple(is("acknowledge"), fence, acks) },
    { weight: 4, arbitrary: fc.tuple(is("makeLive"), fence, numbers, numbers) },
    { weight: 1, arbitrary: fc.tuple(is("drop"), fence, numbers, fc.subarray(WORKERS)) },
    { weight: 4, arbitrary: fc.tuple(is("share"), fence, fc.dictionary(worker, number)) },
    { weight: 1, arbitrary: fc.tuple(is("withdraw"), fence, numbers) },
    { weight: 1, arbitrary: fc.tuple(is("beat"), worker, beat) },
    { weight: 3, arbitrary: fc.tuple(is("join"), worker, fc.record({ fence, lines, calls: number })) },
    { weight: 1, arbitrary: fc.tuple(is("leave"), worker) },
    { weight: 5, arbitrary: fc.tuple(is("append"), worker, server, lines) },
    {
      weight: 9,
      arbitrary: fc.tuple(is("start"), worker, fc.record({ fence, leases: numbers, rows: numbers, lines })),
    },
    { weight: 1, arbitrary: fc.tuple(is("destroy")) },
  );
}

async function answer(hub: Hub, [name, ...words]: Call): Promise<unknown> {
  const method = hub[name] as (...words: unknown[]) => unknown;
  const reply = await method.apply(hub, words);
  if (name !== "read" || reply === null) return reply;
  return [...(reply as OutboxPart[])].sort((a, b) => (a.worker < b.worker ? -1 : 1));
}

it("answers every sequence of calls as the hub in memory does", async () => {
  const connection = await openConnection();
  const redis = openRedis();
  const here = await new RedisHub(connection, "").server();
  const before: Call[] = [
    ["claim", { number: 1, nonce: "a", server: here }],
    ["share", { number: 1, nonce: "a", server: here }, { w: 3, v: 1 }],
    ["makeLive", { number: 1, nonce: "a", server: here }, [0, 1, 2, 3], []],
  ];
  const starts = new Set<string>();
  await fc.assert(
    fc.asyncProperty(fc.array(calls(here), { minLength: 5, maxLength: 40, size: "max" }), async (after) => {
      const memory = new MemoryHub(() => here);
      const identity = randomUUID();
      const shared = new RedisHub(connection, identity);
      for (const [index, call] of [...before, ...after].entries()) {
        const expected = await answer(memory, call);
        expect(await answer(shared, call), `${call[0]}, call ${index}`).toEqual(expected);
        if (call[0] === "start") starts.add((expected as { reason?: string }).reason ?? "granted");
      }
      await shared.destroy();
      expect(await redis.keys(`promptmill:${identity}:*`)).toEqual([]);
    }),
    { numRuns: 300 },
  );
  expect(starts).toEqual(new Set(["granted", "stale", "share", "withdrawn"]));
});

import { describe, expect, it } from "vitest";
import { MemoryHub } from "../../src/protocol/memory-hub.js";
import type { Beat, Fence, Hub, StartRequest } from "../../src/protocol/hub.js";
import { fenceOf, lines, NO_LINES, openHub, openRedis } from "./hubs.js";

const ELSEWHERE = "0123456789abcdef0123456789abcdef01234567";
const BEAT: Beat = { beat: 7, fence: 1, leases: [1, 2], capacity: 4, about: { refusal: null } };

const HUBS: [string, () => Promise<Hub>][] = [
  ["in memory", async () => new MemoryHub(() => "server-1")],
  ["on Redis", async () => (await openHub()).hub],
];

describe.each(HUBS)("The hub %s", (_name, open) => {
  /** A hub with a claimed fence, a worker that has joined, and a share for it. */
  async function opened(share = 2): Promise<{ hub: Hub; fence: Fence; start: Start }> {
    const hub = await open();
    const fence = fenceOf(await hub.server());
    await hub.claim(fence);
    await hub.join("w", { fence, lines: NO_LINES, calls: 0 });
    await hub.share(fence, { w: share });
    await hub.makeLive(fence, [1, 2], []);
    const start: Start = (request) =>
      hub.start("w", { fence, leases: [1], rows: [10], lines: lines(1, ["mark", 1]), ...request });
    return { hub, fence, start };
  }
  type Start = (request?: Partial<StartRequest>) => ReturnType<Hub["start"]>;
  const all = async (hub: Hub, fence: Fence): Promise<unknown> => await hub.read(fence, 100);

  it("is claimed by the higher number only, and says which number to beat", async () => {
    const hub = await open();
    const server = await hub.server();
    expect(await hub.claim(fenceOf(server, 3, "a"))).toEqual({ isClaimed: true });
    expect(await hub.claim(fenceOf(server, 3, "b"))).toEqual({ isClaimed: false, fence: 3 });
    expect(await hub.claim(fenceOf(server, 2, "b"))).toEqual({ isClaimed: false, fence: 3 });
    expect(await hub.claim(fenceOf(server, 4, "b"))).toEqual({ isClaimed: true });
    expect((await hub.look()).fence).toEqual(fenceOf(server, 4, "b"));
  });

  it("is not claimed for a server that does not answer", async () => {
    const hub = await open();
    expect(await hub.claim(fenceOf(ELSEWHERE, 3))).toEqual({ isClaimed: false, fence: 0 });
    expect((await hub.look()).fence).toBeNull();
  });

  it("voids live leases, shares, calls and withdrawn rows with a claim, but no outbox", async () => {
    const { hub, fence, start } = await opened();
    await start();
    await hub.withdraw(fence, [11]);
    const next = fenceOf(fence.server, 2);
    await hub.claim(next);
    expect(await all(hub, next)).toEqual([{ worker: "w", from: 1, lines: ["mark"] }]);
    const rest = { fence: next, lines: lines(2, ["mark", 1]) };
    expect(await start(rest)).toEqual({ isGranted: false, reason: "stale" });
    await hub.makeLive(next, [1], []);
    expect(await start({ ...rest, rows: [11] })).toEqual({ isGranted: false, reason: "share" });
    expect(await hub.share(next, { w: 1 })).toEqual({ w: 0 });
    expect(await start({ ...rest, rows: [11] })).toEqual({ isGranted: true });
  });

  it.each([
    ["a lower number", (server: string) => fenceOf(server, 0)],
    ["another nonce", (server: string) => fenceOf(server, 1, "other")],
    ["another server", () => fenceOf(ELSEWHERE)],
  ])("refuses all that only the fence's holder may to %s", async (_what, other) => {
    const { hub, fence, start } = await opened();
    await start();
    const stranger = other(fence.server);
    expect(await hub.read(stranger, 10)).toBeNull();
    expect(await hub.acknowledge(stranger, [{ worker: "w", seq: 1 }])).toBe(false);
    expect(await hub.makeLive(stranger, [3], [1])).toBe(false);
    expect(await hub.drop(stranger, [1], ["w"])).toBeNull();
    expect(await hub.share(stranger, { w: 0 })).toBeNull();
    expect(await hub.withdraw(stranger, [11])).toBe(false);
    expect(await hub.join("w", { fence: stranger, lines: NO_LINES, calls: 0 })).toBe(false);
    expect(await start({ fence: stranger, lines: lines(2, ["x", 1]) })).toEqual({
      isGranted: false,
      reason: "stale",
    });
    // Nothing of it happened.
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 1, lines: ["mark"] }]);
    expect(await start({ rows: [11], lines: lines(2, ["mark", 1]) })).toEqual({ isGranted: true });
    expect(await start({ leases: [3], lines: lines(3, ["mark", 0]) })).toMatchObject({ reason: "stale" });
  });

  it("shows the signs of life of those who have not left or been dropped", async () => {
    const { hub, fence } = await opened();
    const view = { server: fence.server, fence, share: 2, acked: 0 };
    expect(await hub.beat("w", BEAT)).toEqual(view);
    expect(await hub.beat("v", { ...BEAT, beat: 1 })).toEqual({ ...view, share: 0 });
    await hub.beat("u", BEAT);
    expect(await hub.look()).toEqual({
      server: fence.server,
      fence,
      beats: { w: BEAT, v: { ...BEAT, beat: 1 }, u: BEAT },
    });
    await hub.leave("w");
    await hub.drop(fence, [], ["v"]);
    expect((await hub.look()).beats).toEqual({ u: BEAT });
    expect(await hub.beat("w", BEAT)).toEqual({ ...view, share: 0 });
  });

  it("tells a worker without a coordinator that there is none", async () => {
    const hub = await open();
    const view = { server: await hub.server(), fence: null, share: 0, acked: 0 };
    expect(await hub.beat("w", BEAT)).toEqual(view);
  });

  it("starts rows of live leases within the share, all or nothing", async () => {
    const { start } = await opened(3);
    const two = lines(1, ["end", 0], ["marks", 2]);
    expect(await start({ rows: [10, 11], lines: two })).toEqual({ isGranted: true });
    expect(await start({ rows: [12, 13], lines: lines(3, ["marks", 2]) })).toEqual({
      isGranted: false,
      reason: "share",
    });
    expect(await start({ leases: [1, 3], lines: lines(3, ["mark", 1]) })).toEqual({
      isGranted: false,
      reason: "stale",
    });
    expect(await start({ leases: [1, 2], lines: lines(3, ["mark", 1]) })).toEqual({ isGranted: true });
  });

  it("frees slots with the ends that come in the same step as the marks", async () => {
    const { start, hub, fence } = await opened(1);
    await start();
    expect(await start({ lines: lines(2, ["end", -1], ["mark", 1]) })).toEqual({ isGranted: true });
    expect(await hub.share(fence, {})).toEqual({});
    expect(await hub.share(fence, { w: 0 })).toEqual({ w: 1 });
  });

  it("does not start rows that were withdrawn, and names them", async () => {
    const { hub, fence, start } = await opened(9);
    await hub.withdraw(fence, [11, 13]);
    expect(await start({ rows: [10, 11, 12, 13] })).toEqual({
      isGranted: false,
      reason: "withdrawn",
      rows: [11, 13],
    });
    expect(await all(hub, fence)).toEqual([]);
    expect(await start({ rows: [10, 12] })).toEqual({ isGranted: true });
  });

  it("starts nothing of leases that have ended or were dropped", async () => {
    const { hub, fence, start } = await opened();
    await hub.makeLive(fence, [3, 4], [1]);
    expect(await start({ leases: [1] })).toMatchObject({ reason: "stale" });
    expect(await hub.drop(fence, [3], [])).toEqual({});
    expect(await start({ leases: [3] })).toMatchObject({ reason: "stale" });
    expect(await start({ leases: [2, 4] })).toEqual({ isGranted: true });
  });

  it("starts nothing of a worker that was dropped, and says how many calls it has under way", async () => {
    const { hub, fence, start } = await opened();
    await start();
    expect(await hub.drop(fence, [], ["w", "v"])).toEqual({ w: 1, v: 0 });
    expect(await start({ lines: lines(2, ["mark", 1]) })).toEqual({ isGranted: false, reason: "share" });
    expect(await hub.append("w", fence.server, lines(2, ["end", -1]))).toBe(true);
    expect(await hub.share(fence, { w: 0 })).toEqual({ w: 0 });
  });

  it("appends lines once, however often they are sent", async () => {
    const { hub, fence } = await opened();
    const { server } = fence;
    expect(await hub.append("w", server, lines(1, ["a", 1], ["b", -1], ["c", 1]))).toBe(true);
    expect(await hub.append("w", server, lines(1, ["a", 1], ["b", -1], ["c", 1]))).toBe(true);
    expect(await hub.append("w", server, lines(2, ["b", -1], ["c", 1], ["d", 1]))).toBe(true);
    expect(await hub.append("w", server, lines(2, ["b", -1]))).toBe(true);
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 1, lines: ["a", "b", "c", "d"] }]);
    expect(await hub.share(fence, { w: 5 })).toEqual({ w: 2 });
  });

  it("counts only what is new of a start that is asked for again", async () => {
    const { hub, fence, start } = await opened(1);
    expect(await start()).toEqual({ isGranted: true });
    expect(await start({ lines: lines(1, ["mark", 1], ["void", -1], ["mark", 1]) })).toEqual({
      isGranted: true,
    });
    expect(await hub.share(fence, { w: 1 })).toEqual({ w: 1 });
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 1, lines: ["mark", "void", "mark"] }]);
  });

  it("refuses lines after a gap, and those for another server", async () => {
    const { hub, fence, start } = await opened();
    expect(await hub.append("w", fence.server, lines(2, ["b", 0]))).toBe(false);
    expect(await hub.append("w", ELSEWHERE, lines(1, ["a", 0]))).toBe(false);
    expect(await start({ lines: lines(3, ["mark", 1]) })).toEqual({ isGranted: false, reason: "stale" });
    expect(await all(hub, fence)).toEqual([]);
  });

  it("takes ends from whoever sends them, without a fence, a share or a sign of life", async () => {
    const { hub, fence } = await opened();
    expect(await hub.append("stranger", fence.server, lines(1, ["end", -1]))).toBe(true);
    expect(await all(hub, fence)).toEqual([{ worker: "stranger", from: 1, lines: ["end"] }]);
  });

  it("hands out at most so many lines of each outbox, from the first one on", async () => {
    const { hub, fence } = await opened();
    await hub.append("v", fence.server, lines(1, ["v1", 0]));
    await hub.append("w", fence.server, lines(1, ["w1", 0], ["w2", 0], ["w3", 0]));
    const parts = [...((await hub.read(fence, 2)) ?? [])].sort((a, b) => (a.worker < b.worker ? -1 : 1));
    expect(parts).toEqual([
      { worker: "v", from: 1, lines: ["v1"] },
      { worker: "w", from: 1, lines: ["w1", "w2"] },
    ]);
    expect(await hub.read(fence, 1)).toHaveLength(2);
  });

  it("lets go of what is acknowledged, and of no more than it has", async () => {
    const { hub, fence } = await opened();
    await hub.append("w", fence.server, lines(1, ["a", 0], ["b", 0], ["c", 0]));
    expect(await hub.acknowledge(fence, [{ worker: "w", seq: 2 }])).toBe(true);
    expect(await hub.acknowledge(fence, [{ worker: "w", seq: 1 }])).toBe(true);
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 3, lines: ["c"] }]);
    expect(await hub.beat("w", BEAT)).toMatchObject({ acked: 2 });
    expect(await hub.acknowledge(fence, [{ worker: "w", seq: 9 }])).toBe(true);
    expect(await all(hub, fence)).toEqual([]);
    expect(await hub.beat("w", BEAT)).toMatchObject({ acked: 3 });
    expect(await hub.append("w", fence.server, lines(4, ["d", 0]))).toBe(true);
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 4, lines: ["d"] }]);
  });

  it("begins an outbox anew when its worker joins, with what it keeps and the calls it has", async () => {
    const { hub, fence, start } = await opened(3);
    await hub.append("w", fence.server, lines(1, ["a", 1], ["b", 1]));
    const kept = lines(7, ["g", 1], ["h", -1]);
    expect(await hub.join("w", { fence, lines: kept, calls: 2 })).toBe(true);
    expect(await all(hub, fence)).toEqual([{ worker: "w", from: 7, lines: ["g", "h"] }]);
    expect(await hub.share(fence, { w: 3 })).toEqual({ w: 2 });
    expect(await start({ lines: lines(9, ["marks", 2]) })).toMatchObject({ reason: "share" });
    expect(await start({ lines: lines(9, ["mark", 1]) })).toEqual({ isGranted: true });
    expect(await hub.join("w", { fence, lines: { ...NO_LINES, from: 4 }, calls: 0 })).toBe(true);
    expect(await all(hub, fence)).toEqual([]);
    expect(await hub.beat("w", BEAT)).toMatchObject({ acked: 3 });
  });

  it("keeps apart what is long: thousands of lines, rows and leases", async () => {
    const { hub, fence, start } = await opened(10_000);
    const numbers = Array.from({ length: 12_345 }, (_, index) => index);
    const texts = numbers.map((number) => `line ${number} ✓`);
    const long = { from: 1, texts, calls: numbers.map((number) => (number % 2 === 0 ? 1 : -1)) };
    expect(await hub.makeLive(fence, numbers, [])).toBe(true);
    expect(await start({ leases: numbers, rows: numbers, lines: long })).toEqual({ isGranted: true });
    expect(await hub.share(fence, { w: 0 })).toEqual({ w: 1 });
    const [part] = (await hub.read(fence, 20_000)) ?? [];
    expect(part?.lines).toEqual(texts);
    expect(await hub.withdraw(fence, numbers.slice(5_000))).toBe(true);
    const reply = await start({ rows: numbers, lines: lines(12_346, ["mark", 0]) });
    expect(reply).toEqual({ isGranted: false, reason: "withdrawn", rows: numbers.slice(5_000) });
    expect(await hub.drop(fence, numbers.slice(0, 9_999), [])).toEqual({});
    expect(await start({ leases: [9_998], lines: lines(12_346, ["mark", 0]) })).toMatchObject({
      reason: "stale",
    });
    expect(await hub.join("w", { fence, lines: long, calls: 0 })).toBe(true);
    expect((await hub.read(fence, 20_000))?.[0]?.lines).toEqual(texts);
  });

  it("knows nothing of a run that was destroyed", async () => {
    const { hub, fence, start } = await opened();
    await start();
    await hub.beat("w", BEAT);
    await hub.destroy();
    expect(await hub.look()).toEqual({ server: fence.server, fence: null, beats: {} });
    expect(await hub.read(fence, 1)).toBeNull();
    expect(await hub.append("w", fence.server, lines(2, ["end", -1]))).toBe(false);
    expect(await hub.claim(fenceOf(fence.server, 1, "new"))).toEqual({ isClaimed: true });
  });
});

describe("The hub on Redis", () => {
  it.each([1, 2, 3, 4])("reads again when a worker joined between its commands (%i)", async (after) => {
    const { hub, connection } = await openHub();
    const fence = fenceOf(await hub.server());
    await hub.claim(fence);
    await hub.append("w", fence.server, lines(1, ["1", 0], ["2", 0], ["3", 0]));
    await hub.read(fence, 10); // it knows the worker now
    const commands = connection.commands.bind(connection);
    connection.commands = async (all) => {
      connection.commands = commands;
      const first = await commands(all.slice(0, after));
      await hub.join("w", { fence, lines: lines(3, ["3", 0], ["4", 0]), calls: 0 });
      return [...first, ...(await commands(all.slice(after)))];
    };
    expect(await hub.read(fence, 10)).toEqual([{ worker: "w", from: 3, lines: ["3", "4"] }]);
  });

  it("keeps its keys for a month after the last look, those that number the outboxes longer", async () => {
    const { hub, prefix } = await openHub();
    const redis = openRedis();
    const day = 24 * 60 * 60;
    const daysLeft = async (): Promise<Record<string, number>> => {
      const keys = await redis.keys(`${prefix}*`);
      const entries = keys.map(
        async (key) => [key.slice(prefix.length), (await redis.ttl(key)) / day] as const,
      );
      return Object.fromEntries((await Promise.all(entries)).map(([key, days]) => [key, Math.round(days)]));
    };
    const fence = fenceOf(await hub.server());
    await hub.claim(fence);
    await hub.beat("w", BEAT);
    await hub.makeLive(fence, [1], []);
    await hub.withdraw(fence, [1]);
    await hub.append("w", fence.server, lines(1, ["a", 1]));
    const all = { run: 31, outboxes: 31, live: 30, withdrawn: 30, beats: 30, "outbox:w": 30 };
    expect(await daysLeft()).toEqual(all);

    // Another month has nearly gone by: lines that come now are numbered as long as they are kept.
    for (const key of await redis.keys(`${prefix}*`)) await redis.expire(key, 2 * day);
    await hub.append("v", fence.server, lines(1, ["a", 1]));
    expect(await daysLeft()).toMatchObject({ run: 31, outboxes: 31, live: 2, "outbox:w": 2, "outbox:v": 30 });
    await hub.look();
    expect(await daysLeft()).toEqual({ ...all, "outbox:v": 30 });
    await hub.destroy();
    expect(await redis.keys(`${prefix}*`)).toEqual([]);
  });
});

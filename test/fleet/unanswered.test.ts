import { rm } from "node:fs/promises";
import type { Redis } from "ioredis";
import { describe, expect, it } from "vitest";
import type { HubConnection } from "../../src/fleet/hub-connection.js";
import type { RedisHub } from "../../src/fleet/redis-hub.js";
import { Unanswered, type Fence } from "../../src/protocol/hub.js";
import { tcpProxyTo } from "../chaos/tcp-proxy.js";
import { afterTest } from "../support/after-test.js";
import { startRedis, type RedisServer } from "../support/redis-server.js";
import { until } from "../support/until.js";
import { fenceOf, lines, NO_LINES, openHub, openRedis } from "./hubs.js";

interface Opened {
  readonly server: RedisServer;
  readonly admin: Redis;
  readonly hub: RedisHub;
  readonly connection: HubConnection;
  readonly prefix: string;
  readonly fence: Fence;
}

/** A server of the test's own, and a run on it that has one live lease and a worker with a share of 9. */
async function opened(settings: readonly string[] = [], timeoutMs = 60_000): Promise<Opened> {
  const server = await startRedis(settings);
  afterTest(() => server.stop());
  const admin = openRedis(server.url);
  const { hub, connection, prefix } = await openHub(server.url, timeoutMs);
  const fence = fenceOf(await hub.server());
  await hub.claim(fence);
  await hub.join("w", { fence, lines: NO_LINES, calls: 0 });
  await hub.share(fence, { w: 9 });
  await hub.makeLive(fence, [1], []);
  return { server, admin, hub, connection, prefix, fence };
}

function start(hub: RedisHub, fence: Fence, seq = 1): Promise<unknown> {
  return hub.start("w", { fence, leases: [1], rows: [10], lines: lines(seq, [`mark ${seq}`, 1]) });
}

async function untilItAnswers(hub: RedisHub): Promise<void> {
  await until("the hub answers", () => hub.look().then(...both(true, false)));
}

function both<T>(whenResolved: T, whenRejected: T): [() => T, () => T] {
  return [() => whenResolved, () => whenRejected];
}

describe("A server that does not answer", () => {
  it("leaves what was under way unanswered when it dies, and nothing is sent when it is back", async () => {
    const { server, admin, hub, fence } = await opened(["--appendonly", "yes", "--appendfsync", "always"]);
    expect(await start(hub, fence)).toEqual({ isGranted: true });
    await admin.client("PAUSE", 60_000, "ALL");
    const underWay = [start(hub, fence, 2), hub.append("w", fence.server, lines(2, ["end", -1])), hub.look()];
    server.process.kill("SIGKILL");
    for (const call of underWay) await expect(call).rejects.toThrow(Unanswered);
    await expect(start(hub, fence, 2)).rejects.toThrow(Unanswered);

    const again = await startRedis(["--appendonly", "yes"], { port: server.port, folder: server.folder });
    afterTest(() => again.stop());
    await untilItAnswers(hub);
    const view = await hub.look();
    expect(view.fence).toEqual(fence);
    expect(view.server).not.toBe(fence.server);
    expect(await hub.read(fence, 10)).toBeNull();
    const next = fenceOf(view.server, 2);
    expect(await hub.claim(next)).toEqual({ isClaimed: true });
    expect(await hub.read(next, 10)).toEqual([{ worker: "w", from: 1, lines: ["mark 1"] }]);
  });

  it("is given up when it is silent, and serves again when it goes on", async () => {
    const { server, hub, fence } = await opened([], 2_000);
    server.process.kill("SIGSTOP");
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    server.process.kill("SIGCONT");
    await untilItAnswers(hub);
    // Asked for again, as workers do: whether the first one arrived or not, it counts once.
    expect(await start(hub, fence)).toEqual({ isGranted: true });
    expect(await hub.share(fence, { w: 9 })).toEqual({ w: 1 });
  });

  it("is given up when it lets clients wait", async () => {
    const { admin, hub, fence } = await opened([], 2_000);
    await admin.client("PAUSE", 60_000, "WRITE");
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    await admin.client("UNPAUSE");
    await untilItAnswers(hub);
    expect(await start(hub, fence)).toEqual({ isGranted: true });
  });

  it("does not undo a later step with one that was given up and arrives then", async () => {
    const { admin, server, hub, fence } = await opened([], 2_000);
    server.process.kill("SIGSTOP");
    await expect(hub.makeLive(fence, [2], [])).rejects.toThrow(Unanswered);
    server.process.kill("SIGCONT");
    await untilItAnswers(hub);
    expect(await hub.drop(fence, [2], [])).toEqual({});
    // Whichever of the two connections the server read first.
    await until("the old connection is gone", async () => {
      const list = String(await admin.client("LIST"));
      return list.split("\n").filter((line) => line.includes("cmd=eval")).length <= 1;
    });
    const late = hub.start("w", { fence, leases: [2], rows: [1], lines: lines(1, ["mark", 1]) });
    expect(await late).toMatchObject({ reason: "stale" });
  });

  it("refuses a step, a share or a join that others of its sender have overtaken", async () => {
    const { hub, connection, prefix, fence } = await opened();
    const holder = [JSON.stringify([fence.number, fence.nonce, fence.server]), fence.server];
    await hub.join("w", { fence, lines: lines(1, ["a", 0]), calls: 0 });
    await hub.drop(fence, [1], []);
    expect(await connection.run("makeLive", prefix, [...holder, 1, 1, 1])).toBe("overtaken");
    expect(await connection.run("share", prefix, [...holder, 1, "w", 100])).toBe("overtaken");
    expect(await connection.run("drop", prefix, [...holder, 1, 0, "w"])).toBe("overtaken");
    expect(await connection.run("join", prefix, ["w", 1, 0, "", ...holder, 1])).toBe("overtaken");
    expect(await start(hub, fence, 2)).toMatchObject({ reason: "stale" });
    expect(await hub.read(fence, 10)).toEqual([{ worker: "w", from: 1, lines: ["a"] }]);
    expect(await hub.beat("w", { beat: 1, fence: 1, leases: [], capacity: 1 })).toMatchObject({ share: 9 });
  });

  it("leaves calls unanswered while its connection is cut, at once", async () => {
    const { server, hub: other, fence, prefix } = await opened();
    const proxy = await tcpProxyTo(server.port);
    const { hub, connection } = await openHub(`redis://127.0.0.1:${proxy.port}`);
    expect(await hub.look()).toMatchObject({ fence: null });
    proxy.cut();
    await until("the connection is seen to be away", () => hub.look().then(...both(false, true)));
    await expect(hub.claim(fence)).rejects.toThrow(Unanswered);
    proxy.mend();
    await untilItAnswers(hub);
    expect(await hub.look()).toMatchObject({ fence: null }); // the claim was never sent
    expect(await connection.ask((redis) => redis.exists(`${prefix}run`))).toBe(1);
    expect((await other.look()).fence).toEqual(fence);
  });
});

describe("A server that cannot for now", () => {
  it("starts and appends nothing while its memory is full, and lets the rest go on", async () => {
    const { admin, hub, fence } = await opened();
    await start(hub, fence);
    await hub.append("w", fence.server, lines(2, ["x".repeat(100_000), -1]));
    await admin.config("SET", "maxmemory", "1mb");
    await expect(start(hub, fence, 3)).rejects.toThrow(Unanswered);
    await expect(hub.append("w", fence.server, lines(3, ["end", -1]))).rejects.toThrow(Unanswered);
    await expect(hub.join("w", { fence, lines: lines(1, ["a", 0]), calls: 0 })).rejects.toThrow(Unanswered);
    await expect(hub.makeLive(fence, [2], [1])).rejects.toThrow(Unanswered);
    expect(await hub.beat("w", { beat: 1, fence: 1, leases: [], capacity: 1 })).toMatchObject({ share: 9 });
    expect(await hub.share(fence, { w: 5 })).toEqual({ w: 0 });
    expect((await hub.read(fence, 10))?.[0]?.lines).toHaveLength(2);
    expect(await hub.acknowledge(fence, [{ worker: "w", seq: 2 }])).toBe(true);
    expect(await hub.drop(fence, [7], ["v"])).toEqual({ v: 0 });
    expect(await hub.claim(fenceOf(fence.server, 2))).toEqual({ isClaimed: true });
    await admin.config("SET", "maxmemory", "0");
    expect(await hub.read(fenceOf(fence.server, 2), 10)).toEqual([]);
    expect(await hub.append("w", fence.server, lines(3, ["end", -1]))).toBe(true);
  });

  it("does not answer while it is a replica", async () => {
    const { admin, hub, fence } = await opened();
    await admin.call("REPLICAOF", "127.0.0.1", "1");
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    await admin.call("REPLICAOF", "NO", "ONE");
    expect(await start(hub, fence)).toEqual({ isGranted: true });
  });

  it("does not answer while a script keeps it busy", async () => {
    const { admin, server, hub, fence } = await opened(["--busy-reply-threshold", "50"]);
    const looping = openRedis(server.url).eval("while true do end", 0);
    looping.catch(() => {});
    await until("it is busy", () => admin.ping().then(...both(false, true)));
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    await admin.script("KILL");
    await expect(looping).rejects.toThrow("killed");
    expect(await start(hub, fence)).toEqual({ isGranted: true });
  });

  it("does not answer while it cannot save", async () => {
    const { admin, server, hub, fence } = await opened();
    await admin.config("SET", "save", "3600 1");
    await rm(server.folder, { recursive: true });
    await admin.bgsave();
    await until("saving failed", async () =>
      (await admin.info("persistence")).includes("rdb_last_bgsave_status:err"),
    );
    await expect(start(hub, fence)).rejects.toThrow(Unanswered);
    await expect(start(hub, fence)).rejects.toMatchObject({
      cause: { message: expect.stringMatching(/MISCONF/) },
    });
    await admin.config("SET", "stop-writes-on-bgsave-error", "no");
    expect(await start(hub, fence)).toEqual({ isGranted: true });
  });
});

describe("An error that does not pass", () => {
  it("is thrown as it is: a key of another kind", async () => {
    const { admin, hub, prefix, fence } = await opened();
    await admin.set(`${prefix}outbox:w`, "?");
    await admin.sadd(`${prefix}outboxes`, "w");
    await expect(start(hub, fence)).rejects.toThrow(/WRONGTYPE/);
    await expect(hub.read(fence, 1)).rejects.toThrow(/WRONGTYPE/);
    await admin.set(`${prefix}run`, "?");
    await expect(hub.look()).rejects.toThrow(/WRONGTYPE/);
  });

  it("is thrown as it is: a user who may not", async () => {
    const { admin, server } = await opened();
    await admin.acl("SETUSER", "guest", "on", ">secret", "~*", "+@all", "-rpush");
    const { hub } = await openHub(`redis://guest:secret@127.0.0.1:${server.port}`);
    const fence = fenceOf(await hub.server());
    await hub.claim(fence);
    await expect(hub.append("w", fence.server, lines(1, ["a", 0]))).rejects.toThrow(/can't run this command/);
    await admin.acl("SETUSER", "guest", "-evalsha", "-eval");
    await expect(hub.look()).rejects.toThrow(/NOPERM/);
  });

  it("is thrown as it is: a password that is not taken any more", async () => {
    const { admin, hub } = await opened();
    await admin.config("SET", "requirepass", "new");
    await admin.call("CLIENT", "KILL", "TYPE", "normal");
    await until("the password is asked for", () =>
      hub.look().then(
        () => false,
        (error: Error) => !(error instanceof Unanswered),
      ),
    );
    await expect(hub.look()).rejects.toThrow(/NOAUTH/);
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, writeFile, readFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { ownIdentity } from "../../src/process-identity.js";
import { formatHolder, ownHolder, type LockHolder } from "../../src/run/lock/lock-holder.js";
import { lockHolder, RunLock, takeRunLock, type RunLockOptions } from "../../src/run/lock/run-lock.js";
import { afterTest } from "../support/after-test.js";
import { tempFolder } from "../support/temp-folder.js";

async function freshPath(): Promise<string> {
  return join(await tempFolder(), "lock");
}

async function taken(path: string, options: RunLockOptions = {}): Promise<RunLock> {
  const lock = await takeRunLock(path, options);
  if (!(lock instanceof RunLock)) throw new Error(`The lock is held by ${lock.description}.`);
  return lock;
}

/** A lock that this process cannot ask for. */
async function foreignLock(more: Partial<LockHolder> = {}): Promise<string> {
  const path = await freshPath();
  await mkdir(path);
  const holder = { ...ownHolder(), pid: 7, host: "elsewhere", space: "another boot", ...more };
  await writeFile(join(path, "5"), formatHolder(holder));
  return path;
}

describe("The lock of a run", () => {
  it("is held by one, who is named to the next, and free once released", async () => {
    const path = await freshPath();
    const lock = await taken(path);
    expect(await takeRunLock(path)).toMatchObject({
      heldBy: { nonce: lock.nonce, pid: process.pid, host: hostname(), beat: 1 },
      description: `process ${process.pid}`,
    });
    expect(lockHolder(path)?.nonce).toBe(lock.nonce);
    lock.release();
    expect(lockHolder(path)).toBeNull();
    expect([lock.beat(), lock.isOurs()]).toEqual([false, false]);
    (await taken(path)).release();
  });

  it("is kept in two small files, however many heartbeats there were", async () => {
    const path = await freshPath();
    const lock = await taken(path);
    for (let beat = 0; beat < 20; beat++) expect(lock.beat()).toBe(true);
    expect(lockHolder(path)?.beat).toBe(21);
    expect((await readdir(path)).toSorted()).toEqual(["20", "21"]);
    lock.release();
    expect((await readdir(path)).toSorted()).toEqual(["21", "22"]);
  });

  it("is lost when its folder is removed, and does not make it again", async () => {
    const path = await freshPath();
    const lock = await taken(path);
    await rm(path, { recursive: true });
    expect(lockHolder(path)).toBeNull();
    expect([lock.beat(), lock.isOurs()]).toEqual([false, false]);
    lock.release();
    expect(existsSync(path)).toBe(false);
  });

  it("needs the folder of its run", async () => {
    await expect(takeRunLock(join(await freshPath(), "lock"))).rejects.toThrow(/ENOENT/);
  });

  it("is verified by each heartbeat, and a clock that jumps or a sleeping machine makes it less so", async () => {
    vi.useFakeTimers({ toFake: ["performance", "Date"] });
    afterTest(() => vi.useRealTimers());
    const lock = await taken(await freshPath());
    vi.advanceTimersByTime(5000);
    expect(lock.verifiedMsAgo).toBe(5000);
    lock.isOurs();
    expect(lock.verifiedMsAgo).toBe(5000);
    lock.beat();
    expect(lock.verifiedMsAgo).toBe(0);
    vi.setSystemTime(Date.now() + 3_600_000);
    expect(lock.verifiedMsAgo).toBe(3_600_000);
    lock.beat();
    vi.setSystemTime(Date.now() - 3_600_000);
    vi.advanceTimersByTime(10);
    expect(lock.verifiedMsAgo).toBe(10);
  });
});

describe("A holder that cannot be asked", () => {
  it("is watched for a time, and replaced when it gives no sign of life", async () => {
    const path = await foreignLock();
    expect(lockHolder(path)).toMatchObject({ pid: 7, beat: 5 });
    const waits: LockHolder[] = [];
    const lock = await taken(path, { staleMs: 240, onWaiting: (holder) => waits.push(holder) });
    expect(waits).toMatchObject([{ pid: 7, host: "elsewhere" }]);
    expect(lockHolder(path)?.beat).toBe(6);
    lock.release();
  });

  it("lives when its heartbeat goes on", async () => {
    const path = await foreignLock();
    const beatOn = ({ beat: _old, ...holder }: LockHolder): void => {
      void writeFile(join(path, "6"), JSON.stringify(holder), { flag: "wx" });
    };
    expect(await takeRunLock(path, { onWaiting: beatOn })).toMatchObject({
      heldBy: { pid: 7, beat: 6 },
      description: "process 7 on elsewhere",
    });
  });

  it("counts as living for those who do not wait, and is replaced at once by those who take over", async () => {
    const path = await foreignLock();
    expect(await takeRunLock(path, { waitForStale: false })).toMatchObject({ heldBy: { pid: 7 } });
    (await taken(path, { takeOver: true })).release();
  });

  it("is watched until the signal says stop", async () => {
    const path = await foreignLock();
    const abort = new AbortController();
    const taking = takeRunLock(path, { signal: abort.signal, onWaiting: () => abort.abort() });
    await expect(taking).rejects.toThrow(/aborted/);
    expect(await readdir(path)).toEqual(["5"]);
  });

  it("is shown as gone once its last heartbeat is old", async () => {
    expect(lockHolder(await foreignLock(), -1)).toBeNull();
  });

  it("may be unknown, where a file is not whole", async () => {
    const path = await foreignLock();
    await writeFile(join(path, "6"), '{"nonce":');
    expect(await takeRunLock(path, { waitForStale: false })).toMatchObject({
      description: "an unknown process",
    });
    (await taken(path, { staleMs: 120 })).release();
  });
});

describe("A lock file of the version before", () => {
  it("is held by a living process", async () => {
    const path = await freshPath();
    const startTicks = ownIdentity()?.startTicks ?? null;
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), startTicks }));
    expect(await takeRunLock(path)).toMatchObject({ description: `process ${process.pid}` });
    expect(lockHolder(path)?.pid).toBe(process.pid);
    await rm(path);
    (await taken(path)).release();
  });

  it("is replaced at once when its process is gone", async () => {
    const path = await freshPath();
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "exit");
    await writeFile(path, JSON.stringify({ pid: dead.pid, host: hostname(), startTicks: null }));
    expect(lockHolder(path)).toBeNull();
    const lock = await taken(path, { waitForStale: false });
    expect(await readdir(path)).toEqual(["1"]);
    lock.release();
  });

  it("is replaced after a time when it is another machine's", async () => {
    const path = await freshPath();
    await writeFile(path, JSON.stringify({ pid: 1, host: "elsewhere", startTicks: "1" }));
    expect(await takeRunLock(path, { waitForStale: false })).toMatchObject({
      description: "process 1 on elsewhere",
    });
    (await taken(path, { staleMs: 120 })).release();
  });

  it("is not taken by the version before while this one holds it", async () => {
    const path = await freshPath();
    const lock = await taken(path);
    await expect(readFile(path)).rejects.toThrow(/EISDIR/); // as it reads whose lock it is
    expect(lock.isOurs()).toBe(true);
    lock.release();
    await expect(readFile(path)).rejects.toThrow(/EISDIR/);
  });
});

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdir, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { lockHolder, tryProcessLock } from "../../src/process-lock.js";
import { tempFolder } from "../support/temp-folder.js";

describe("The lock of a run", () => {
  it("is held by one, who is named to the next, and free once released", async () => {
    const path = join(await tempFolder(), "lock");
    const lock = tryProcessLock(path);
    expect(tryProcessLock(path)).toEqual({ heldBy: `process ${process.pid}` });
    expect(lockHolder(path)).toBe(`process ${process.pid}`);
    if ("release" in lock) lock.release();
    expect(lockHolder(path)).toBeNull();
    const next = tryProcessLock(path);
    expect("release" in next).toBe(true);
    if ("release" in next) next.release();
  });

  it("is taken over at once from a process that died, and leaves no other file", async () => {
    const folder = await tempFolder();
    const path = join(folder, "lock");
    const dead = spawn(process.execPath, ["-e", ""]);
    await once(dead, "exit");
    await writeFile(path, JSON.stringify({ pid: dead.pid, host: hostname(), startTicks: null }));
    expect(lockHolder(path)).toBeNull();
    expect("release" in tryProcessLock(path)).toBe(true);
    expect(await readdir(folder)).toEqual(["lock"]);
  });

  it("is taken over from a process whose number another one has now", async () => {
    const path = join(await tempFolder(), "lock");
    await writeFile(path, JSON.stringify({ pid: process.pid, host: hostname(), startTicks: "1" }));
    expect("release" in tryProcessLock(path)).toBe(process.platform === "linux");
  });

  it("is taken over when it is torn: its writer died", async () => {
    const path = join(await tempFolder(), "lock");
    await writeFile(path, '{"pid":');
    expect("release" in tryProcessLock(path)).toBe(true);
  });

  it("counts as held when it is another machine's: whether that lives cannot be seen from here", async () => {
    const path = join(await tempFolder(), "lock");
    await writeFile(path, JSON.stringify({ pid: 1, host: "elsewhere", startTicks: null }));
    expect(tryProcessLock(path)).toEqual({ heldBy: "process 1 on elsewhere" });
  });
});

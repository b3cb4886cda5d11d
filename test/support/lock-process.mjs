/**
 * A process that wants run locks, with commands as lines of JSON on its standard input: [command, argument].
 * Answers each with a line. Ends with its input.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { takeRunLock } from "../../dist/run/lock/run-lock.js";

const CALLS = [
  "readdirSync",
  "readFileSync",
  "mkdirSync",
  "unlinkSync",
  "writeFileSync",
  "linkSync",
  "copyFileSync",
];

let lock;

const commands = {
  async take({ path, ...options }) {
    const taken = await takeRunLock(path, options);
    lock = "heldBy" in taken ? undefined : taken;
    return lock === undefined ? taken : { nonce: lock.nonce };
  },
  beat: () => lock.beat(),
  isOurs: () => lock.isOurs(),
  release: () => lock.release(),
  beatEvery: (ms) => void setInterval(() => lock.beat(), ms),
  /** Kills this process before its n-th call for a file of a lock. */
  killAt(count) {
    let left = count;
    for (const name of CALLS) {
      replace(name, (call, file, ...more) => {
        if (String(file).includes("lock") && --left === 0) process.kill(process.pid, "SIGKILL");
        return call(file, ...more);
      });
    }
  },
  /** As on a file system that has no hard links. */
  noLinks() {
    replace("linkSync", () => {
      throw Object.assign(new Error("no links here"), { code: "EPERM" });
    });
  },
  /** Takes and releases the lock again and again, and writes down when it works. */
  async work({ path, log }) {
    for (;;) {
      await sleep(Math.random() * 4);
      await commands.take({ path, staleMs: 120 });
      if (lock === undefined) continue;
      fs.appendFileSync(log, `in ${process.pid}\n`);
      for (let beat = 0; beat < 3; beat++) {
        await sleep(0);
        if (!lock.beat()) fs.appendFileSync(log, `replaced ${process.pid}\n`);
      }
      fs.appendFileSync(log, `out ${process.pid}\n`);
      lock.release();
    }
  },
};

function replace(name, as) {
  const call = fs[name];
  fs[name] = (...values) => as(call, ...values);
  syncBuiltinESMExports();
}

for await (const line of createInterface({ input: process.stdin })) {
  const [command, argument] = JSON.parse(line);
  process.stdout.write(`${JSON.stringify((await commands[command](argument)) ?? null)}\n`);
}
process.exit();

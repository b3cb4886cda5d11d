import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { findingsOf, recordedRows, type Recorded } from "./findings.js";
import { Fleet, type Running } from "./fleet.js";

/**
 * Kills everything, at random, many times, while one run is under way: `npm run chaos -- --kills 100`.
 * Looks at the outcome from outside and prints a table. `--seed` makes the same choices again.
 */

type Victim = "coordinator" | "worker" | "coordinator and worker" | "Redis";

const CONCURRENCY = 60;
const WORKERS = 3;
/** About how long one kill and the recovery from it take. */
const KILL_MS = 1_800;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "100" },
    rows: { type: "string", default: "10000" },
    seed: { type: "string", default: String(Date.now() % 1_000_000) },
    keep: { type: "boolean", default: false },
  },
});
const kills = Number(values.kills);
const rows = Number(values.rows);
const seed = Number(values.seed);
const random = generator(seed);
const folder = await mkdtemp(join(tmpdir(), "promptmill-chaos-"));
const meanLatencyMs = Math.max(50, Math.round((CONCURRENCY * kills * KILL_MS) / rows));
const fleet = await Fleet.start({
  folder,
  rows,
  concurrency: CONCURRENCY,
  simulator: { latency: { kind: "log-normal", medianMs: meanLatencyMs, sigma: 0.4 }, seed },
});
process.on("SIGINT", () => void fleet.close().then(() => process.exit(130)));

const done = new Map<Victim, number>();
const snapshots: Recorded[] = [];
/** Calls that the killed processes can have had in flight. */
let atRisk = 0;
let isWorkerless = false;
const workers: Running[] = [];
for (let worker = 0; worker < WORKERS; worker++) workers.push(fleet.worker(CONCURRENCY / WORKERS));
let coordinator = fleet.run();
const startedAt = performance.now();
// Until there is a run, there is nothing to resume.
while (coordinator.isAlive() && !existsSync(join(fleet.runDirectory, "run.json"))) await sleep(20);

const finished = (): boolean => !coordinator.isAlive() && coordinator.process.exitCode === 0;
for (let kill = 0; kill < kills && !finished(); kill++) {
  await untilWorkGoesOn();
  await sleep(200 + random() * (KILL_MS - 400));
  if (finished()) break;
  await startAgainWithoutRedis();
  const victim = chooseVictim();
  snapshots.push(recordedRows(fleet));
  done.set(victim, (done.get(victim) ?? 0) + 1);
  process.stderr.write(
    `${String(kill + 1).padStart(4)}  ${victim} (${snapshots.at(-1)?.size} rows recorded)\n`,
  );
  if (victim === "Redis") {
    atRisk += fleet.simulator.calls().inFlight;
    await fleet.restartRedis(random() * 1_000);
  }
  const isCoordinator = victim.startsWith("coordinator");
  const ends: Promise<unknown>[] = [];
  if (isCoordinator) {
    coordinator.process.kill("SIGKILL");
    ends.push(coordinator.ended);
    if (!isWorkerless) atRisk += CONCURRENCY;
  }
  if (victim.endsWith("worker")) {
    const at = Math.floor(random() * WORKERS);
    const worker = workers[at];
    worker?.process.kill("SIGKILL");
    if (worker !== undefined) ends.push(worker.ended);
    atRisk += CONCURRENCY / WORKERS;
    workers[at] = fleet.worker(CONCURRENCY / WORKERS);
  }
  await Promise.all(ends);
  if (isCoordinator) {
    if (random() < 0.5) await sleep(random() * 500);
    isWorkerless = random() < 0.5;
    coordinator = fleet.resume(isWorkerless ? ["--no-worker"] : []);
  }
}
while (!finished()) {
  await startAgainWithoutRedis();
  await Promise.race([coordinator.ended, sleep(500)]);
}
await coordinator.ended;
const seconds = Math.round((performance.now() - startedAt) / 1000);
for (const worker of workers) worker.process.kill("SIGTERM");
const workerEnds = await Promise.all(workers.map(({ ended }) => ended));
const found = await findingsOf(fleet, snapshots);
const killed = [...done.values()].reduce((sum, times) => sum + times, 0);
const table: [string, string | number, boolean | null][] = [
  ["rows", rows, null],
  ["kills", `${killed} (${[...done].map(([victim, times]) => `${victim} ${times}`).join(", ")})`, null],
  ["seconds", seconds, null],
  ["rows lost", found.rowsLost, found.rowsLost === 0],
  ["rows twice", found.rowsTwice, found.rowsTwice === 0],
  ["rows failed", found.rowsFailed, found.rowsFailed === 0],
  ["recorded answers called again", found.recordedCalledAgain, found.recordedCalledAgain === 0],
  ["calls of the model", found.calls, null],
  [`calls repeated (at most ${atRisk} in flight at the kills)`, found.repeated, found.repeated <= atRisk],
  ["answers that the model billed", found.billedByModel, null],
  ["billed attempts in usage.json", found.billed, found.usageErrors.length === 0],
  ["possibly billed, listed by row", found.possiblyBilled, null],
  ["calls that no journal line tells of", found.unrecorded, null],
  ["rows with calls neither recorded nor listed", found.unlisted.length, found.unlisted.length === 0],
  [
    "workers that ended well on SIGTERM",
    `${workerEnds.filter(({ code }) => code === 0).length} of ${WORKERS}`,
    workerEnds.every(({ code }) => code === 0),
  ],
];
process.stdout.write(`\nseed ${seed}\n`);
for (const [what, value, holds] of table) {
  process.stdout.write(
    `${what.padEnd(58)}${String(value).padStart(8)}${holds === null ? "" : holds ? "  ok" : "  WRONG"}\n`,
  );
}
for (const [at, { code, signal }] of workerEnds.entries()) {
  if (code !== 0) process.stdout.write(`worker ended with ${code ?? signal}:\n${workers[at]?.stderr()}\n`);
}
for (const error of found.usageErrors) process.stdout.write(`usage.json: ${error}\n`);
await fleet.close();
if (!values.keep) await rm(folder, { recursive: true, force: true });
else process.stdout.write(`kept in ${folder}\n`);
process.exitCode = table.some(([, , holds]) => holds === false) ? 1 : 0;

function chooseVictim(): Victim {
  const drawn = random();
  if (drawn < 0.35) return "coordinator";
  if (drawn < 0.7) return "worker";
  return drawn < 0.8 ? "coordinator and worker" : "Redis";
}

async function fail(what: string, said: string): Promise<never> {
  process.stderr.write(`${what}; seed ${seed}, folder ${folder}\n${said}\n`);
  await fleet.close();
  process.exit(1);
}

/** Processes that started just when Redis was away say so some seconds later and end, as they should. */
async function startAgainWithoutRedis(): Promise<void> {
  if (!coordinator.isAlive() && !finished()) {
    await mustHaveMissedRedis("the coordinator", coordinator);
    coordinator = fleet.resume(isWorkerless ? ["--no-worker"] : []);
  }
  for (const [at, worker] of workers.entries()) {
    if (worker.isAlive()) continue;
    await mustHaveMissedRedis("a worker", worker);
    workers[at] = fleet.worker(CONCURRENCY / WORKERS);
  }
}

async function mustHaveMissedRedis(who: string, running: Running): Promise<void> {
  const { exitCode, signalCode } = running.process;
  if (exitCode === 2 && running.stderr().includes("No Redis answers")) return;
  await fail(`${who} ended with ${exitCode ?? signalCode}`, running.stderr());
}

/** A kill before anything was called since the last one would prove little. */
async function untilWorkGoesOn(): Promise<void> {
  const before = fleet.simulator.calls().total;
  const giveUpAt = performance.now() + 20_000;
  while (coordinator.isAlive() && fleet.simulator.calls().total === before && performance.now() < giveUpAt) {
    await sleep(20);
  }
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** mulberry32: small, and the same everywhere. */
function generator(from: number): () => number {
  let state = from >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}

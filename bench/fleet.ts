/**
 * Many workers with slow answers: does Redis or the coordinator stand in the way?
 *
 *     npm run bench:fleet                      16 worker processes, answers after 2 s, 4,000 in flight, 40,000 rows
 *     npm run bench:fleet -- 8 2000 2000 20000 (processes, delay in ms, in flight, rows)
 *
 * Prints what was reached of what the answers allow, the CPU that each part took per 1,000 rows, and from that
 * how many rows a second one coordinator and one Redis could carry with a core each. CPU of other processes is
 * read from /proc, so that it needs Linux.
 */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { serverLoad } from "./measure.js";
import { Stand } from "./stand.js";

const [processes = 16, delayMs = 2_000, inFlight = 4_000, rows = 40_000] = process.argv.slice(2).map(Number);
const bin = fileURLToPath(new URL("../bin/promptmill.js", import.meta.url));
/** Of Linux' clock ticks, in all of its builds that matter. */
const TICKS_PER_SECOND = 100;

const stand = new Stand();
let fleet: ChildProcess | undefined;
try {
  const redisUrl = await stand.redis();
  const baseUrl = await stand.modelServer(delayMs);
  stand.input(rows);
  writeFileSync(
    join(stand.folder, "job.yaml"),
    "name: fleet\nmodel: qwen-plus\nprovider: openai-compatible\ninput: { path: input.csv, id: id }\n" +
      `prompt: { user: "Summarize: {{ text }}" }\noutput: { column: summary }\nconcurrency: ${inFlight}\n`,
  );
  const env = { ...process.env, OPENAI_BASE_URL: baseUrl };
  const perProcess = Math.ceil(inFlight / processes);
  fleet = spawn(
    process.execPath,
    [
      bin,
      "worker",
      "--queue",
      redisUrl,
      "--processes",
      String(processes),
      "--concurrency",
      String(perProcess),
    ],
    { cwd: stand.folder, env, stdio: "ignore" },
  );
  const redis = new Redis(redisUrl);
  await untilConnected(redis, processes);
  const workers = childrenOf(fleet.pid ?? 0);
  const before = { workers: cpuOf(workers), redis: await redisCpu(redis) };
  const startedAt = performance.now();
  const run = spawn(
    process.execPath,
    [bin, "run", "job.yaml", "--run-id", "fleet", "--no-worker", "--quiet", "--queue", redisUrl],
    { cwd: stand.folder, env, stdio: ["ignore", "ignore", "inherit"] },
  );
  const ended = once(run, "exit");
  let coordinator = 0;
  let peakInFlight = 0;
  let calling = 0;
  const watching = setInterval(() => {
    coordinator = Math.max(coordinator, cpuOf([run.pid ?? 0]));
    void serverLoad(baseUrl).then(({ inFlight: now }) => {
      peakInFlight = Math.max(peakInFlight, now);
      if (now >= inFlight * 0.95) calling += 0.25;
    });
  }, 250);
  const [code] = (await ended) as [number | null];
  clearInterval(watching);
  const seconds = (performance.now() - startedAt) / 1000;
  if (code !== 0) throw new Error(`the run exited with ${code}`);
  const cpu = {
    coordinator,
    redis: (await redisCpu(redis)) - before.redis,
    workers: cpuOf(workers) - before.workers,
  };
  redis.disconnect();
  const ideal = (inFlight / delayMs) * 1000;
  const per1000 = (cpuSeconds: number): number => (cpuSeconds / rows) * 1000;
  const lines = [
    `${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}: ${processes} worker processes, answers after ${delayMs} ms, ${inFlight.toLocaleString("en")} in flight, ${rows.toLocaleString("en")} rows`,
    "",
    `whole run ${seconds.toFixed(1)} s, ${(rows / seconds).toFixed(0)} rows/s of the ${ideal.toFixed(0)} that the answers allow; at most ${peakInFlight.toLocaleString("en")} in flight, ${calling.toFixed(1)} s with 95 % or more of them`,
    "",
    "| | CPU s per 1,000 rows | of one core at this speed | rows/s with a core of its own |",
    "|---|---|---|---|",
    ...Object.entries(cpu).map(
      ([name, used]) =>
        `| ${name} | ${per1000(used).toFixed(3)} | ${((used / seconds) * 100).toFixed(0)} % | ${(1000 / per1000(used)).toFixed(0)} |`,
    ),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
} finally {
  fleet?.kill("SIGTERM");
  if (fleet !== undefined) await once(fleet, "exit");
  await stand.close();
}

async function untilConnected(redis: Redis, count: number): Promise<void> {
  for (;;) {
    const clients = String(await redis.client("LIST"));
    if (clients.split("\n").filter((line) => line.includes(" name=worker-")).length >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
}

async function redisCpu(redis: Redis): Promise<number> {
  const info = await redis.info("cpu");
  return ["used_cpu_user", "used_cpu_sys"].reduce(
    (sum, name) => sum + Number(new RegExp(`${name}:([\\d.]+)`).exec(info)?.[1]),
    0,
  );
}

function childrenOf(parent: number): number[] {
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => statOf(Number(pid))?.parent === parent)
    .map(Number);
}

/** Seconds of user and system time. */
function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (statOf(pid)?.ticks ?? 0) / TICKS_PER_SECOND, 0);
}

function statOf(pid: number): { parent: number; ticks: number } | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return null; // it has ended
  }
}

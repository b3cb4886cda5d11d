/**
 * promptmill beside the loops that people write, on the same model server, in the same run.
 *
 *     npm run bench              3 rounds of 20,000 rows, medians, tables in Markdown (about 9 minutes)
 *     npm run bench -- --rounds 1
 *     npm run bench -- --quick   1 round of 5,000 rows
 *
 * Needs redis-server. Pin-able systems run clients on the first core, Redis and model server on the second.
 */
import { mkdirSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import type { Measurement } from "./measure.js";
import { secondsByStage } from "./profile.js";
import { median, Stand } from "./stand.js";

const isQuick = process.argv.includes("--quick");
const asked = Number(process.argv[process.argv.indexOf("--rounds") + 1]);
const ROUNDS = isQuick ? 1 : process.argv.includes("--rounds") ? asked : 3;
const ROWS = isQuick ? 5_000 : 20_000;
const EMBEDDED_ROWS = isQuick ? 2_000 : 5_000;

interface Contestant {
  readonly name: string;
  readonly measure: () => Promise<Measurement>;
}

interface Round extends Measurement {
  /** Most memory that Redis used; NaN: it had no part. */
  readonly redisPeakMb: number;
}

interface Setting {
  readonly title: string;
  readonly delayMs: number;
  readonly concurrency: number;
  /**
   * Also the embedded queue, whose speed is its own, and contestants without a warm-up: a process's first rows, as a
   * run from the command line has them.
   */
  readonly isFull: boolean;
}

const SETTINGS: readonly Setting[] = [
  {
    title: "Answers at once, concurrency 200",
    delayMs: 0,
    concurrency: 200,
    isFull: true,
  },
  {
    title: "Answers after 500 ms, concurrency 1,000",
    delayMs: 500,
    concurrency: 1_000,
    isFull: false,
  },
];

const FROM_COLD = ", from cold";

const stand = new Stand();
try {
  stand.input(ROWS);
  const redis = await stand.redis();
  process.stdout.write(
    `${cpus().length} cores, Node ${process.version}, ${new Date().toISOString().slice(0, 10)}, `,
  );
  process.stdout.write(`${ROWS.toLocaleString("en")} rows, median of ${ROUNDS}\n`);
  for (const setting of SETTINGS) await compare(setting, redis);
  await profile(redis);
} finally {
  await stand.close();
}

async function compare(setting: Setting, redis: string): Promise<void> {
  const { delayMs, concurrency, isFull } = setting;
  const url = await stand.modelServer(delayMs);
  const bare = (client: string, ...flags: string[]): Contestant => ({
    name: `bare loop, ${client}`,
    measure: () => stand.contestant("bare-loop.js", [client, url, ROWS, concurrency, ...flags]),
  });
  const promptmill = (name: string, rows: number, queue: string, ...flags: string[]): Contestant => ({
    name: `promptmill, ${name}`,
    measure: () =>
      stand.contestant("promptmill-run.js", [stand.folder, url, rows, concurrency, queue, ...flags]),
  });
  const cold = ({ name, measure }: Contestant): Contestant => ({ name: `${name}${FROM_COLD}`, measure });
  const withWorkers = (count: number): Contestant => ({
    name: `promptmill, Redis, ${count} worker process${count === 1 ? "" : "es"}`,
    measure: async () => {
      const workers = Array.from({ length: count }, () =>
        stand.worker(redis, url, Math.ceil(concurrency / count)),
      );
      try {
        return await stand.contestant("promptmill-run.js", [
          ...[stand.folder, url, ROWS, concurrency, redis],
          "--no-worker",
        ]);
      } finally {
        for (const worker of workers) worker.kill("SIGKILL");
      }
    },
  });
  const contestants = [
    bare("openai SDK"),
    bare("fetch"),
    bare("undici"),
    promptmill("Redis, one process", ROWS, redis),
    ...(isFull ? [promptmill("embedded queue", EMBEDDED_ROWS, "embedded")] : []),
    withWorkers(1),
    withWorkers(2),
    ...(isFull
      ? [
          cold(bare("openai SDK", "--cold")),
          cold(bare("undici", "--cold")),
          cold(promptmill("Redis, one process", ROWS, redis, "--cold")),
        ]
      : []),
  ];
  const rounds = new Map<string, Round[]>();
  const probe = new Redis(redis);
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, measure } of contestants) {
      await probe.config("RESETSTAT");
      const measured = await measure();
      const peak = Number(/used_memory_peak:(\d+)/.exec(await probe.info("memory"))?.[1]) / 1e6;
      const measurement = { ...measured, redisPeakMb: name.includes("Redis") ? peak : Number.NaN };
      process.stderr.write(
        `${setting.title}, round ${round + 1}: ${name}: ${measurement.rowsPerSecond.toFixed(0)} rows/s\n`,
      );
      rounds.set(name, [...(rounds.get(name) ?? []), measurement]);
    }
  }
  probe.disconnect();
  print(setting, rounds);
}

/** One more run with the profiler on: where the CPU of a row goes. */
async function profile(redis: string): Promise<void> {
  const url = await stand.modelServer(0);
  const folder = join(stand.folder, "profile");
  mkdirSync(folder);
  await stand.contestant(
    "promptmill-run.js",
    [stand.folder, url, ROWS, 200, redis],
    ["--cpu-prof", "--cpu-prof-interval", "500", "--cpu-prof-dir", folder],
  );
  const stages = secondsByStage(folder);
  const whole = stages.reduce((sum, [, seconds]) => sum + seconds, 0);
  const lines = [
    "",
    "### Where the CPU goes: Redis, one process, answers at once (with the profiler on)",
    "",
    "| stage | CPU s per 1,000 rows | share |",
    "|---|---|---|",
    ...stages.map(
      ([stage, seconds]) =>
        `| ${stage} | ${((seconds / ROWS) * 1000).toFixed(3)} | ${((seconds / whole) * 100).toFixed(0)} % |`,
    ),
  ];
  process.stdout.write(`${lines.join("\n")}\n`);
}

function print(setting: Setting, rounds: ReadonlyMap<string, readonly Round[]>): void {
  // Of the same round, since a machine that others use is not as fast in each.
  const ratio = (name: string, loop: string, rate: "rowsPerSecond" | "callsPerSecond"): string => {
    const loops = rounds.get(name.endsWith(FROM_COLD) ? `${loop}${FROM_COLD}` : loop);
    const ratios = rounds.get(name)?.map((one, round) => one[rate] / (loops?.[round]?.[rate] ?? Number.NaN));
    return median(ratios ?? []).toFixed(2);
  };
  const rates = (name: string, rate: "rowsPerSecond" | "callsPerSecond"): string[] => [
    median((rounds.get(name) ?? []).map((one) => one[rate])).toFixed(0),
    ratio(name, "bare loop, openai SDK", rate),
    ratio(name, "bare loop, undici", rate),
  ];
  const lines = [
    "",
    `### ${setting.title}`,
    "",
    "| | rows/s | ÷ SDK loop | ÷ undici loop | while calling, rows/s | ÷ SDK loop | ÷ undici loop | CPU s per 1,000 rows | peak MB | Redis peak MB |",
    `|${"---|".repeat(10)}`,
  ];
  for (const [name, measurements] of rounds) {
    const of = (pick: (one: Round) => number): number => median(measurements.map(pick));
    const redisMb = of((one) => one.redisPeakMb);
    const cells = [
      name,
      ...rates(name, "rowsPerSecond"),
      ...rates(name, "callsPerSecond"),
      of((one) => one.cpuSecondsPer1000).toFixed(3),
      of((one) => one.peakMb).toFixed(0),
      Number.isNaN(redisMb) ? "" : redisMb.toFixed(0),
    ];
    lines.push(`| ${cells.join(" | ")} |`);
  }
  process.stdout.write(`${lines.join("\n")}\n`);
}

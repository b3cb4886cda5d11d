import { fork, type ChildProcess } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  addTally,
  carryOut,
  newTally,
  parsePlan,
  planned,
  type SmallRun,
  type Tally,
  type Task,
} from "../test/protocol/simulation/batch.js";
import { FAULTS, isPossible } from "../test/protocol/simulation/faults.js";
import { PROMISES, type Promised } from "../test/protocol/simulation/findings.js";
import { RULES, type Rule } from "../test/protocol/simulation/rules.js";
import { tell } from "../test/protocol/simulation/story.js";

/**
 * Runs the protocol under simulation, at length: coordinator and workers as they are, on a disk, a server and a network that fail.
 *
 *     npm run simulate                              100,000 schedules by seed, on all cores
 *     npm run simulate -- --seeds 5000 --start 7    5,000, from seed 7 on
 *     npm run simulate -- --exhaustive              every single fault at every step of small runs, then pairs
 *     npm run simulate -- --seed 7                  one schedule, told as a story
 *     npm run simulate -- --without "<rule>"        as if the protocol had not that rule
 *
 * Exit code 1: a promise was broken.
 */
const SEEDS_AT_ONCE = 250;
const PAIRS = 3_000;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "100000" },
    start: { type: "string", default: "0" },
    seed: { type: "string" },
    small: { type: "string" },
    plan: { type: "string", default: "" },
    exhaustive: { type: "boolean", default: false },
    without: { type: "string" },
    jobs: { type: "string", default: String(availableParallelism()) },
  },
});

if (process.send !== undefined) process.on("message", (task: Task) => process.send?.(carryOut(task)));
else process.exitCode = values.seed === undefined ? await simulate() : tellOne(Number(values.seed));

function ruleWanted(): Rule | undefined {
  const { without } = values;
  if (without === undefined || without in RULES) return without as Rule | undefined;
  throw new Error(`No such rule: "${without}". There are:\n  ${Object.keys(RULES).join("\n  ")}`);
}

function tellOne(seed: number): number {
  const rule = ruleWanted();
  const without = rule === undefined ? {} : { without: RULES[rule] };
  const { small, plan } = values;
  const [options, args] =
    small === undefined
      ? [{ seed }, `--seed ${seed}`]
      : planned({ seed, kind: small as SmallRun["kind"] }, parsePlan(plan));
  const flags = rule === undefined ? args : `${args} --without "${rule}"`;
  const story = tell({ ...options, ...without }, `npm run simulate -- ${flags}`);
  process.stdout.write(`${story}\n`);
  return story.includes("\nBroken: ") ? 1 : 0;
}

async function simulate(): Promise<number> {
  const tasks = values.exhaustive ? exhaustiveTasks() : seedTasks();
  const sum = newTally();
  const startedAt = performance.now();
  let done = 0;
  const work = async (): Promise<void> => {
    const child = fork(fileURLToPath(import.meta.url), { execArgv: process.execArgv });
    for (let task = tasks.shift(); task !== undefined; task = tasks.shift()) {
      addTally(sum, await answer(child, task));
      done++;
      showProgress(`${sum.schedules} schedules, ${Math.round((100 * done) / (done + tasks.length))}%`);
    }
    child.disconnect();
  };
  await Promise.all(Array.from({ length: Number(values.jobs) }, work));
  showProgress("");
  process.stdout.write(report(sum, (performance.now() - startedAt) / 1000));
  return Object.keys(sum.broken).length === 0 ? 0 : 1;
}

async function answer(child: ChildProcess, task: Task): Promise<Tally> {
  return await new Promise((resolve, reject) => {
    const onExit = (code: number | null): void =>
      reject(new Error(`a process ended with ${code}: ${JSON.stringify(task)}`));
    child.once("exit", onExit);
    child.once("message", (tally: Tally) => {
      child.off("exit", onExit);
      resolve(tally);
    });
    child.send(task);
  });
}

function seedTasks(): Task[] {
  const without = ruleWanted();
  const rule = without === undefined ? {} : { without };
  const start = Number(values.start);
  const end = start + Number(values.seeds);
  const tasks: Task[] = [];
  for (let from = start; from < end; from += SEEDS_AT_ONCE)
    tasks.push({ kind: "seeds", from, count: Math.min(SEEDS_AT_ONCE, end - from), ...rule });
  return tasks;
}

function exhaustiveTasks(): Task[] {
  const tasks: Task[] = [];
  for (const kind of ["remote", "local", "alone", "embedded"] as const) {
    for (const seed of [1, 2]) {
      const run = { seed, kind };
      for (const fault of new Set(FAULTS))
        if (isPossible(fault, { isEmbedded: kind === "embedded" }))
          tasks.push({ kind: "single", run, fault });
      for (let from = 0; from < PAIRS; from += SEEDS_AT_ONCE)
        tasks.push({ kind: "pairs", run, from, count: SEEDS_AT_ONCE });
    }
  }
  return tasks;
}

function showProgress(text: string): void {
  if (process.stderr.isTTY) process.stderr.write(`\r\u001B[K${text}`);
}

function report({ schedules, steps, calls, listed, faults, ends, broken }: Tally, seconds: number): string {
  const all = Object.values(faults).reduce((sum, times) => sum + times, 0);
  const lines = [
    `${schedules} schedules, ${steps} steps, ${seconds.toFixed(0)} s`,
    row("calls", calls),
    row("  listed as possibly billed", listed),
    row("faults", all),
    ...Object.entries(faults)
      .sort(([, a], [, b]) => b - a)
      .map(([fault, times]) => row(`  ${fault}`, times)),
    ...Object.entries(ends).map(([end, times]) => row(`runs that ended: ${end}`, times)),
    "promises broken",
    ...(Object.keys(PROMISES) as Promised[]).flatMap((promise) => {
      const found = broken[promise];
      const line = row(`  ${PROMISES[promise]}`, found?.count ?? 0);
      return found === undefined ? [line] : [line, `    npm run simulate -- ${found.first}`];
    }),
  ];
  return `${lines.join("\n")}\n`;
}

function row(name: string, count: number): string {
  return `${name.padEnd(90)} ${String(count).padStart(9)}`;
}

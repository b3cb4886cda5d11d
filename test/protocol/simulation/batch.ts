import { FAULTS, isPossible, type Fault } from "./faults.js";
import type { Promised } from "./findings.js";
import { Random } from "./random.js";
import { RULES, type Rule } from "./rules.js";
import { Simulation, type SimOptions } from "./simulation.js";

/** What many schedules came to. */
export interface Tally {
  schedules: number;
  steps: number;
  calls: number;
  /** Calls listed as possibly billed. */
  listed: number;
  faults: Record<string, number>;
  ends: Record<string, number>;
  broken: Partial<Record<Promised, Broken>>;
}

interface Broken {
  count: number;
  /** How it is told once more, and what was broken. */
  first: string;
}

/** Some schedules, to be run by one process. */
export type Task =
  | { readonly kind: "seeds"; readonly from: number; readonly count: number; readonly without?: Rule }
  /** One fault, at every step of a small run. */
  | { readonly kind: "single"; readonly run: SmallRun; readonly fault: Fault }
  /** Two faults, at random steps of it. */
  | { readonly kind: "pairs"; readonly run: SmallRun; readonly from: number; readonly count: number };

/** A run small enough for a fault at each of its steps. */
export interface SmallRun {
  readonly seed: number;
  readonly kind: "remote" | "local" | "alone" | "embedded";
}

const SMALL = { rows: 3, concurrency: 2, workers: 2, leaseRows: 2, hasPoison: false, budget: null } as const;
const MOST_STEPS = 400;

export function newTally(): Tally {
  return { schedules: 0, steps: 0, calls: 0, listed: 0, faults: {}, ends: {}, broken: {} };
}

export function carryOut(task: Task): Tally {
  const tally = newTally();
  for (const [options, again] of schedules(task)) count(tally, options, again);
  return tally;
}

function* schedules(task: Task): Generator<[SimOptions, string]> {
  if (task.kind === "seeds") {
    const { from, count: seeds, without } = task;
    const rule = without === undefined ? {} : { without: RULES[without] };
    for (let seed = from; seed < from + seeds; seed++) yield [{ seed, ...rule }, `--seed ${seed}`];
    return;
  }
  const { run } = task;
  const steps = stepsOf(run);
  if (task.kind === "single") {
    for (let step = 1; step <= steps; step++) yield planned(run, [[step, task.fault]]);
    return;
  }
  const faults = FAULTS.filter((fault) => isPossible(fault, { isEmbedded: run.kind === "embedded" }));
  for (let pair = task.from; pair < task.from + task.count; pair++) {
    const random = new Random(pair);
    const step = random.between(1, steps);
    const second = step + random.between(1, 100);
    yield planned(run, [
      [step, random.of(faults)],
      [second, random.of(faults)],
    ]);
  }
}

/** A small run with faults at given steps, and how it is told again. */
export function planned(
  { seed, kind }: SmallRun,
  plan: readonly (readonly [number, Fault])[],
): [SimOptions, string] {
  const text = plan.map(([step, fault]) => `${step}:${fault}`).join(";");
  return [{ seed, kind, ...SMALL, plan: new Map(plan) }, `--small ${kind} --seed ${seed} --plan "${text}"`];
}

/** The plan that such a text describes. */
export function parsePlan(text: string): [number, Fault][] {
  return text.split(";").map((part): [number, Fault] => {
    const [step = "", fault = ""] = part.split(":");
    return [Number(step), fault as Fault];
  });
}

function stepsOf({ seed, kind }: SmallRun): number {
  const sim = new Simulation({ seed, kind, ...SMALL, plan: new Map() }).run();
  return Math.min(sim.engine.steps, MOST_STEPS);
}

function count(tally: Tally, options: SimOptions, again: string): void {
  const sim = new Simulation(options).run();
  tally.schedules++;
  tally.steps += sim.engine.steps;
  tally.calls += sim.provider.sent.length;
  tally.listed += sim.listed;
  for (const fault of sim.struck) tally.faults[fault] = (tally.faults[fault] ?? 0) + 1;
  const end = sim.end ?? "none";
  tally.ends[end] = (tally.ends[end] ?? 0) + 1;
  for (const [promise, how] of sim.findings.broken) {
    const broken = (tally.broken[promise] ??= { count: 0, first: `${again}: ${how}` });
    broken.count++;
  }
}

export function addTally(sum: Tally, { schedules: number, steps, calls, listed, ...tables }: Tally): void {
  sum.schedules += number;
  sum.steps += steps;
  sum.calls += calls;
  sum.listed += listed;
  for (const table of ["faults", "ends"] as const)
    for (const [name, times] of Object.entries(tables[table]))
      sum[table][name] = (sum[table][name] ?? 0) + times;
  for (const [name, broken] of Object.entries(tables.broken) as [Promised, Broken][]) {
    const known = sum.broken[name];
    sum.broken[name] = known === undefined ? broken : { ...known, count: known.count + broken.count };
  }
}

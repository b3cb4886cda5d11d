import { createHash } from "node:crypto";

/**
 * Runs synchronous processes in every order of their steps.
 *
 * A process is a function that does all that others can see in calls of `step`. Between two steps it sees
 * nothing, so its state is the list of results it was given: to go on, it is run again from its start with these
 * results, up to the next step. States are comparable by that, and each is explored once.
 */
export interface Story<World> {
  /** How it begins; plain data. */
  readonly world: World;
  readonly processes: readonly Process<World>[];
  /**
   * How often at most a process is interrupted by another one. Orders grow too many for long stories, and what a
   * few switches do not break is rarely broken by more. @default Infinity
   */
  readonly switches?: number;
  /** How many processes may be killed, at any point of theirs. @default 0 */
  readonly kills?: number;
  /** What a kill does to the world. */
  readonly onKill?: (world: World, index: number) => void;
  /** Called in every state; throws when something is wrong. */
  readonly check?: (world: World) => void;
  /** Called where nobody has a step left, with what the processes returned, or "killed". */
  readonly checkEnd: (ends: readonly string[], world: World) => void;
}

/** Returns how it ended. */
export type Process<World> = (step: Step<World>) => string;

/** Does something to the world at once. `what` names it in the story of a failure. */
export type Step<World> = <Result>(what: string, act: (world: World) => Result) => Result;

interface ProcessState {
  readonly results: readonly unknown[];
  /** Stands for the results. */
  readonly digest: string;
  /** null while it runs. */
  readonly end: string | null;
}

interface Node<World> {
  readonly world: World;
  readonly processes: readonly ProcessState[];
  readonly killsLeft: number;
  readonly switchesLeft: number;
  /** Whose step was the last. */
  readonly current: number | null;
  readonly step: string;
  readonly before: Node<World> | null;
  /** What each process does next, after the results that it was given: far fewer than there are states. */
  readonly known: Map<string, NextStep<World> | string>;
}

/** Returns how many states were explored. Throws the first failure, with the steps that led to it. */
export function exploreAll<World>(story: Story<World>): number {
  const seen = new Set<string>();
  const open: Node<World>[] = [beginningOf(story)];
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const { world, processes, killsLeft, switchesLeft, current } = node;
    const bound = switchesLeft === Infinity ? null : [switchesLeft, current];
    const states = processes.map(({ digest, end }) => [digest, end]);
    const key = digestOf(JSON.stringify([world, states, killsLeft, bound]));
    if (seen.has(key)) continue;
    seen.add(key);
    try {
      open.push(...visit(story, node));
    } catch (cause) {
      throw new Error(`${String(cause)}\n${tell(node)}`, { cause });
    }
  }
  return seen.size;
}

function beginningOf<World>({ world, processes, kills = 0, switches = Infinity }: Story<World>): Node<World> {
  return {
    world,
    processes: processes.map(() => ({ results: [], digest: "", end: null })),
    killsLeft: kills,
    switchesLeft: switches,
    current: null,
    step: "",
    before: null,
    known: new Map(),
  };
}

/** Checks a state and returns those that can follow it. */
function visit<World>(story: Story<World>, node: Node<World>): Node<World>[] {
  const { processes, current } = node;
  story.check?.(node.world);
  const running = [...processes.keys()].filter((index) => processes[index]?.end === null);
  if (running.length === 0)
    story.checkEnd(
      processes.map(({ end }) => end ?? ""),
      node.world,
    );
  const isInterrupted = current !== null && running.includes(current);
  return running.flatMap((index) => {
    const switchesLeft = node.switchesLeft - (isInterrupted && index !== current ? 1 : 0);
    if (switchesLeft < 0) return [];
    const next = { ...advance(story, node, index), switchesLeft };
    return node.killsLeft > 0 ? [next, { ...kill(story, node, index), switchesLeft }] : [next];
  });
}

function advance<World>(story: Story<World>, node: Node<World>, index: number): Node<World> {
  const process = node.processes[index]!;
  const key = `${index} ${process.digest}`;
  const next = node.known.get(key) ?? runUpToNextStep(story.processes[index]!, process.results);
  node.known.set(key, next);
  if (typeof next === "string") return follow(node, index, { ...process, end: next });
  const world = copyOf(node.world);
  const result: unknown = next.act(world) ?? null;
  const step = `${next.message} → ${JSON.stringify(result)}`;
  const state = { results: [...process.results, result], digest: digestOf(process.digest + step), end: null };
  return { ...follow(node, index, state, step), world };
}

function kill<World>(story: Story<World>, node: Node<World>, index: number): Node<World> {
  const world = copyOf(node.world);
  story.onKill?.(world, index);
  const killed = follow(node, index, { results: [], digest: "", end: "killed" });
  return { ...killed, world, killsLeft: node.killsLeft - 1 };
}

function follow<World>(
  node: Node<World>,
  index: number,
  process: ProcessState,
  step = process.end,
): Node<World> {
  const processes = node.processes.map((old, at) => (at === index ? process : old));
  return { ...node, processes, current: index, step: `process ${index}: ${step}`, before: node };
}

function tell<World>(last: Node<World>): string {
  const steps: string[] = [];
  for (let node: Node<World> | null = last; node !== null; node = node.before) steps.push(node.step);
  return steps.toReversed().join("\n");
}

function digestOf(text: string): string {
  return createHash("sha1").update(text).digest("base64");
}

/** Several times as fast as structuredClone. */
function copyOf<T>(plain: T): T {
  return JSON.parse(JSON.stringify(plain)) as T;
}

class NextStep<World> extends Error {
  readonly act: (world: World) => unknown;

  constructor(what: string, act: (world: World) => unknown) {
    super(what);
    this.act = act;
  }
}

/** Gives a process the results of its steps so far. Returns its next step, or its end. */
function runUpToNextStep<World>(
  process: Process<World>,
  results: readonly unknown[],
): NextStep<World> | string {
  let at = 0;
  try {
    return process((what, act) => {
      if (at === results.length) throw new NextStep<World>(what, act);
      return copyOf(results[at++]) as never;
    });
  } catch (error) {
    if (error instanceof NextStep) return error as NextStep<World>;
    throw error;
  }
}

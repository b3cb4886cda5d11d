import type { SimContext, SimCoordinating, SimParty } from "./context.js";
import type { SimProcess } from "./engine.js";
import type { Restart } from "./server.js";

/** What can go wrong, in words; listed twice: twice as often. */
export const FAULTS = [
  ...["kill worker", "kill worker", "kill coordinator", "kill coordinator", "cut power"],
  ...["freeze worker", "freeze worker", "freeze coordinator", "cut off worker", "cut off coordinator"],
  ...["lossy worker", "lossy coordinator", "server behind", "server behind", "server empty"],
  ...[
    "server behind, worker killed",
    "server behind, coordinator killed",
    "server restarts",
    "server freezes",
  ],
  ...["worker stops", "run stops", "run stops, then retries", "take over", "disk full", "key refused"],
  ...["foreign event"],
] as const;
export type Fault = (typeof FAULTS)[number];

const ON_A_SERVER: ReadonlySet<Fault> = new Set(
  FAULTS.filter((fault) => /server|worker|foreign|cut off|lossy|put/.test(fault)),
);

/** Whether a fault can happen to such a run. */
export function isPossible(fault: Fault, { isEmbedded }: { readonly isEmbedded: boolean }): boolean {
  return !isEmbedded || !ON_A_SERVER.has(fault);
}

/** Lets one fault happen now; to one process, or to one of those that are there. */
export function strike(sim: SimContext, fault: Fault, at?: SimProcess): void {
  if (sim.isDone) return;
  const { random } = sim;
  const choose = <T extends SimParty>(those: readonly T[]): T | undefined => {
    const there = those.filter((one) => !one.isOver && (at === undefined || one.process === at));
    return there.length === 0 ? undefined : random.of(there);
  };
  const worker = choose(sim.workers);
  const coordinator = choose(sim.coordinators.filter(({ isRunning }) => isRunning));
  const spanMs = random.of([5, 15, 45, 70, 110]);
  const struck = fault.includes("coordinator") ? coordinator : fault.includes("worker") ? worker : undefined;
  const process = struck?.process;
  sim.say(`FAULT: ${fault}${process === undefined ? "" : ` (${process.name})`}, ${spanMs} ms`);
  if (fault.startsWith("server")) strikeServer(sim, fault, spanMs);
  if (process !== undefined) strikeProcess(sim, { fault, process, spanMs });
  if (fault === "worker stops" && worker !== undefined) {
    worker.stop();
    sim.startWorker(random.between(1, 10));
  } else if (coordinator !== undefined) strikeRun(sim, fault, coordinator);
  strikeOther(sim, fault, spanMs);
}

function strikeServer({ server, engine, random }: SimContext, fault: Fault, spanMs: number): void {
  if (fault === "server freezes") {
    server.frozenUntil = engine.now + spanMs;
    return;
  }
  const [, how = ""] = fault.split(/[ ,]+/);
  server.restart(how === "restarts" ? "whole" : (how as Restart));
  server.downUntil = engine.now + random.of([1, 3, 10]);
}

interface Struck {
  readonly fault: Fault;
  readonly process: SimProcess;
  readonly spanMs: number;
}

function strikeProcess(sim: SimContext, { fault, process, spanMs }: Struck): void {
  const until = sim.engine.now + spanMs;
  if (fault.includes("kill")) sim.kill(process);
  else if (fault.startsWith("cut off")) process.cutUntil = until;
  else if (fault.startsWith("lossy")) process.lossyUntil = until;
  else if (fault.startsWith("freeze")) {
    process.frozenUntil = until;
    // Somebody resumes elsewhere; he waits until the lock is stale.
    if (fault === "freeze coordinator") sim.startCoordinator(sim.random.between(1, 30));
  }
}

function strikeRun(sim: SimContext, fault: Fault, coordinator: SimCoordinating): void {
  const { random } = sim;
  if (fault === "cut power") sim.kill(coordinator.process, true);
  else if (fault === "take over") sim.startCoordinator(0, { takesOver: true });
  else if (fault === "run stops") coordinator.stop();
  else if (fault === "run stops, then retries") {
    sim.resumesWith({ retries: true });
    coordinator.stop();
  } else if (fault === "freeze coordinator" && random.chance(0.3))
    sim.startCoordinator(random.between(1, 20), { takesOver: true });
}

function strikeOther(sim: SimContext, fault: Fault, spanMs: number): void {
  const { engine, provider, disk, random, server } = sim;
  if (fault === "disk full") {
    disk.isFull = true;
    engine.at(engine.now + spanMs, () => {
      disk.isFull = false;
    });
  } else if (fault === "key refused") provider.refusesUntil = engine.now + random.of([3, 8, 15]);
  else if (fault === "foreign event") {
    const text = random.of(foreignEvents(random.of([0, 1])));
    const name = sim.newName("x");
    void server.hub.append(name, server.hub.server() as string, { from: 1, texts: [text], calls: [0] });
  }
}

/** What another run, another version or a bug might leave: results that nobody asked for. */
function foreignEvents(row: number): string[] {
  const result = {
    customId: `id-${row}`,
    model: "m",
    preset: null,
    attempts: 1,
    requestId: null,
    requestDigest: `row ${row}, version 0`,
    usage: null,
    latencyMs: 1,
    finishedAt: "2026-01-01T00:00:00.000Z",
    status: "succeeded",
    output: { text: "foreign", reasoning: null, finishReason: "stop" },
  };
  const settled = { event: "settled", key: 1, billing: "billed", rowIndex: row, ...result };
  return [
    settled,
    { ...settled, rowIndex: -1 },
    { ...settled, rowIndex: 2 ** 40 },
    { ...settled, customId: "id-99" },
    { ...settled, requestDigest: "another" },
    { ...settled, output: undefined },
    { event: "settled" },
  ].map((event) => JSON.stringify(event));
}

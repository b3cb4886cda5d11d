import type { SimSettings } from "./context.js";
import { PROMISES } from "./findings.js";
import { Simulation, type SimOptions } from "./simulation.js";

/** A schedule told in words, and which promises it breaks. `again`: how it is told once more. */
export function tell(options: SimOptions, again: string): string {
  const lines: string[] = [];
  const sim = new Simulation({ ...options, story: (line) => lines.push(line) });
  const head = `Schedule ${options.seed}: ${inWords(sim.settings)}.`;
  sim.run();
  const broken = [...sim.findings.broken].map(([promise, how]) => `Broken: ${PROMISES[promise]} (${how}).`);
  return [
    head,
    ...lines,
    ...(broken.length === 0 ? ["No promise is broken."] : broken),
    `Again: ${again}`,
  ].join("\n");
}

function inWords({ rows, concurrency, workers, timing, ...settings }: SimSettings): string {
  const { hasLocal, isEmbedded, budget, poison } = settings;
  const who = isEmbedded
    ? "the coordinator calls the model, without a server"
    : `${workers} workers${hasLocal ? " and the coordinator call" : " call"} the model`;
  return [
    `${rows} rows, ${concurrency} calls at once of ${timing.callMs} ms at most`,
    who,
    budget === null ? "no budget" : `a budget of ${budget} calls`,
    ...(poison.size === 0 ? [] : [`row ${[...poison].join(", ")} kills who calls it`]),
  ].join("; ");
}

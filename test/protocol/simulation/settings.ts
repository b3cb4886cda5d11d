import type { SimSettings } from "./context.js";
import type { Random } from "./random.js";
import { simTiming } from "./timing.js";

/** What is not said is chosen by the seed. */
export interface SettingsWanted {
  readonly rows?: number;
  readonly concurrency?: number;
  readonly workers?: number;
  readonly leaseRows?: number;
  /** local: the coordinator calls the model too; alone: only it does; embedded: it does, without a server. */
  readonly kind?: "remote" | "local" | "alone" | "embedded";
  readonly hasPoison?: boolean;
  readonly budget?: number | null;
}

export function settingsOf(wanted: SettingsWanted, random: Random): SimSettings {
  const workers = wanted.workers ?? random.of([1, 2, 2, 3]);
  const rows = wanted.rows ?? random.of([4, 6, 6, 9]);
  const kind =
    wanted.kind ??
    random.of(["remote", "remote", "remote", "local", "local", "local", "alone", "embedded"] as const);
  const concurrency = wanted.concurrency ?? random.of([1, 2, 3, 3, 4]);
  const hasPoison = wanted.hasPoison ?? random.chance(0.15);
  const chosenBudget = random.chance(0.3) ? rows + random.between(0, rows) : null;
  return {
    rows,
    concurrency,
    workers: kind === "embedded" || kind === "alone" ? 0 : workers,
    leaseRows: wanted.leaseRows ?? random.of([1, 2, 2, 3]),
    attempts: 2,
    timing: simTiming(random.of([14, 14, 60])),
    hasLocal: kind !== "remote",
    isEmbedded: kind === "embedded",
    poison: hasPoison ? new Set([0]) : new Set(),
    budget: wanted.budget === undefined ? chosenBudget : wanted.budget,
  };
}

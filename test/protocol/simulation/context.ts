import type { Effect } from "../../../src/protocol/effects.js";
import type { Timing } from "../../../src/protocol/timing.js";
import type { Ablation } from "./ablation.js";
import type { SimDisk } from "./disk.js";
import type { Engine, NewThread, SimProcess, Thread } from "./engine.js";
import type { Findings } from "./findings.js";
import type { SimNetwork } from "./network.js";
import type { SimProvider } from "./provider.js";
import type { Random } from "./random.js";
import type { SimServer } from "./server.js";
import type { Witness } from "./witness.js";

/** What a schedule's run is like. */
export interface SimSettings {
  readonly rows: number;
  readonly concurrency: number;
  /** Worker processes at the start. */
  readonly workers: number;
  readonly leaseRows: number;
  readonly attempts: number;
  readonly timing: Timing;
  /** The coordinator calls the model, too. */
  readonly hasLocal: boolean;
  /** Hub and queue live and die with the coordinator's process. */
  readonly isEmbedded: boolean;
  /** Rows that kill the process that calls them. */
  readonly poison: ReadonlySet<number>;
  /** It grows when the user raises it. null: there is none. */
  budget: number | null;
}

/** How a coordinator is started. */
export interface Resume {
  /** Takes the run lock from whoever has it. */
  readonly takesOver?: boolean;
  /** Calls some settled rows again, with another request. */
  readonly retries?: boolean;
}

/** How a coordinator's process has ended. */
export type CoordinatorEnd = "finished" | "interrupted" | "halted" | "no money" | "replaced";

/** A worker's or coordinator's process. */
export interface SimParty {
  readonly process: SimProcess;
  readonly isOver: boolean;
  /** In good order. */
  stop(): void;
}

export interface SimCoordinating extends SimParty {
  /** It has the run lock, and is not ending. */
  readonly isRunning: boolean;
}

/** What the parts of a simulation share. */
export interface SimContext {
  readonly settings: SimSettings;
  readonly random: Random;
  readonly engine: Engine;
  readonly network: SimNetwork;
  readonly disk: SimDisk;
  readonly server: SimServer;
  readonly provider: SimProvider;
  readonly findings: Findings;
  readonly witness: Witness;
  readonly workers: readonly SimParty[];
  readonly coordinators: readonly SimCoordinating[];
  /** Which rule is switched off; null: none. */
  readonly without: Ablation | null;
  /** The run is done: nobody starts anything for it any more. */
  readonly isDone: boolean;
  newName(letter: string): string;
  newProcess(name: string): SimProcess;
  /** Lets a process do something. */
  spawn(thread: NewThread): void;
  /** Carries out what is the same for every process. */
  perform(effect: Effect, thread: Thread, server: SimServer): void;
  kill(process: SimProcess, isPowerCut?: boolean): void;
  /** The process has come to its end. */
  exit(process: SimProcess): void;
  startCoordinator(after: number, how?: Resume): void;
  /** How the next one that resumes a run that was stopped does so. */
  resumesWith(how: Resume): void;
  startWorker(after: number): void;
  /** A coordinator has ended its run. */
  ended(how: CoordinatorEnd): void;
  readonly say: (line: string) => void;
}

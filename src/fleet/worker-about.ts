import { z } from "zod";
import type { Beat } from "../protocol/hub.js";
import { hasEnded } from "../process-identity.js";

/** What a worker's sign of life says beside the protocol. */
export const workerAboutSchema = z.object({
  /** Why it cannot serve the run; null: it serves it. */
  refusal: z.string().nullable(),
  /** Lets a coordinator on the same machine see whether it lives; null where that cannot be told. */
  process: z.object({ pid: z.int(), startTicks: z.string(), space: z.string() }).nullable(),
  /** Its model server does not answer; absent: it does, as far as is known. */
  outage: z
    .object({ code: z.string(), forMs: z.number(), probeInMs: z.number(), wasAnswered: z.boolean() })
    .optional(),
});
export type WorkerAbout = z.infer<typeof workerAboutSchema>;
export type WorkerOutage = NonNullable<WorkerAbout["outage"]>;

/** null: it says nothing that this version understands. */
export function workerAbout({ about }: Beat): WorkerAbout | null {
  return workerAboutSchema.safeParse(about).data ?? null;
}

/** True only when it is certain that the worker's process, on this machine, has ended. */
export function hasWorkerEnded(beat: Beat): boolean {
  const process = workerAbout(beat)?.process ?? null;
  return process !== null && hasEnded(process);
}

/** The sign of life of a worker that cannot serve a run: its coordinator sees why. */
export function refusingBeat(beat: number, about: WorkerAbout & { readonly refusal: string }): Beat {
  return { beat, fence: 0, leases: [], capacity: 0, about };
}

import { randomInt } from "node:crypto";
import { UsageError } from "../errors.js";

/** No letters that are taken for one another, and none that form words. */
const ALPHABET = "23456789bcdfghjkmnpqrstvwxz";
const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9._-]{0,119}$/;

/** `<job>-<yyyymmdd>-<hhmmss>-<4 characters>`, in UTC: sorts by time within a job. */
export function newRunId(jobName: string, now: Date): string {
  const digits = now.toISOString().replace(/[-:]/g, "");
  const suffix = Array.from({ length: 4 }, () => ALPHABET[randomInt(ALPHABET.length)]).join("");
  return `${jobName}-${digits.slice(0, 8)}-${digits.slice(9, 15)}-${suffix}`;
}

/** A run id becomes a folder's and a queue's name. UsageError when it is not fit for both. */
export function checkRunId(runId: string): string {
  if (RUN_ID.test(runId)) return runId;
  throw new UsageError(
    `--run-id: expected up to 120 letters, digits, ".", "_" or "-", beginning with a letter or digit, received ${JSON.stringify(runId)}.`,
    { code: "run_id_invalid", hint: "Leave --run-id away to have one made, or choose another." },
  );
}

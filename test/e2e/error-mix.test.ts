import { lockHolder } from "../../src/run/lock/run-lock.js";
import { journalEvents } from "../support/journal-events.js";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { plannedFault, type ErrorMix } from "../../src/simulator/index.js";
import type { CallCounts, SimulatedFault } from "../../src/simulator/index.js";
import type { Result } from "../../src/types.js";
import { cli } from "../support/cli.js";
import { csvOf, readRun, writeJob } from "../support/job-files.js";
import { redisUrl } from "../support/redis-url.js";
import { simulatedModel } from "../support/simulator.js";
import { tempFolder } from "../support/temp-folder.js";

const ATTEMPTS = 3;
const SEED = 7;
// Throttling stops every call of the process for up to a second, so there is little of it; anything else
// holds back its own row only.
const errors: ErrorMix = {
  rate_limit: 0.0015,
  burst_rate: 0.0005,
  server_error: 0.05,
  capacity: 0.02,
  bad_gateway: 0.01,
  connection_reset: 0.02,
  reset_after_answer: 0.01,
  malformed_json: 0.02,
  truncated_body: 0.01,
  empty_body: 0.01,
  content_inspection: 0.01,
  invalid_parameter: 0.01,
  truncated_answer: 0.01,
};
const throttling: ReadonlySet<SimulatedFault> = new Set(["rate_limit", "burst_rate"]);
const permanent: ReadonlySet<SimulatedFault> = new Set(["content_inspection", "invalid_parameter"]);

/** What must become of a request, from nothing but the simulator's plan for it. */
function expected(fingerprint: string): { status: Result["status"]; attempts: number; calls: number } {
  let attempts = 0;
  for (let calls = 1; ; calls++) {
    const fault = plannedFault(errors, SEED, fingerprint, calls);
    if (fault !== null && throttling.has(fault)) continue;
    attempts++;
    if (fault === null || fault === "truncated_answer") return { status: "succeeded", attempts, calls };
    if (permanent.has(fault) || attempts === ATTEMPTS) return { status: "failed", attempts, calls };
  }
}

function fingerprintsById(calls: CallCounts): Map<string, string> {
  return new Map(
    [...calls.perRequest].map(([fingerprint, { lastUserText }]) => [
      lastUserText.split(":")[0] ?? "",
      fingerprint,
    ]),
  );
}

describe.each([
  { queue: "Redis", url: redisUrl, rows: 10_000 },
  // The embedded queue carries a tenth of Redis' rows per second; these meet every fault as well.
  { queue: "the embedded queue", url: () => null, rows: 1_000 },
])("A run on $queue against a model that fails in every way", ({ url, rows }) => {
  it(
    `ends with one result for each of ${rows} rows, in input order, and counts that add up with the model's`,
    { timeout: 180_000 },
    async () => {
      const folder = await tempFolder();
      const simulator = await simulatedModel({ errors, seed: SEED, latency: { kind: "fixed", ms: 5 } });
      await writeJob(folder, csvOf(rows), `concurrency: 100\nattempts: ${ATTEMPTS}`);
      const queueUrl = url();
      const end = await cli(
        [
          "run",
          "job.yaml",
          "--json",
          "--run-id",
          "nasty",
          ...(queueUrl === null ? [] : ["--queue", queueUrl]),
        ],
        { cwd: folder, env: { PROMPTMILL_SIMULATOR_URL: simulator.url }, timeoutMs: 170_000 },
      );
      expect(end.code, end.stderr).toBe(3);
      const calls = simulator.calls();
      const { results, journal, usage } = readRun(join(folder, "runs", "nasty"));

      expect(results.map(({ id }) => id)).toEqual(Array.from({ length: rows }, (_, row) => `r${row}`));
      expect(journal.map(({ rowIndex }) => rowIndex).sort((a, b) => a - b)).toEqual([...results.keys()]);

      const fingerprints = fingerprintsById(calls);
      expect(fingerprints.size).toBe(rows);
      const wrong = journal.filter((result) => {
        const fingerprint = fingerprints.get(result.customId) ?? "";
        const plan = expected(fingerprint);
        return (
          result.status !== plan.status ||
          result.attempts !== plan.attempts ||
          calls.perRequest.get(fingerprint)?.calls !== plan.calls ||
          results[result.rowIndex]?.["status"] !== plan.status
        );
      });
      expect(wrong).toEqual([]);

      const failed = journal.filter(({ status }) => status === "failed").length;
      const summary = JSON.parse(end.stdout) as { rows: unknown; truncated: number };
      expect(summary.rows).toEqual({ total: rows, succeeded: rows - failed, failed });
      expect(usage.rows).toEqual(summary.rows);
      expect(summary.truncated).toBe(calls.faults.truncated_answer);
      const errorLines = (await readFile(join(folder, "runs", "nasty", "errors.jsonl"), "utf8")).split("\n");
      expect(errorLines).toHaveLength(failed + 1);

      const events = journalEvents(join(folder, "runs", "nasty"));
      const started = events.reduce(
        (sum, event) => sum + (event.event === "started" ? event.rows.length : 0),
        0,
      );
      expect(started).toBe(calls.total);
      // An answer that was spoiled on its way, and a call whose connection broke, may be on the bill.
      const unclear = calls.spoiled + calls.dropped;
      expect(usage.attempts).toMatchObject({ billed: calls.answered, possiblyBilled: unclear });
      expect(usage.tokens).toMatchObject({
        input: calls.tokens.input,
        output: calls.tokens.output,
        cachedInput: calls.tokens.cachedInput,
      });
      expect(lockHolder(join(folder, "runs", "nasty", "lock"))).toBe(null);
    },
  );
});

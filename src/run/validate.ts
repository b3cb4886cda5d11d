import { resolve } from "node:path";
import { UsageError } from "../errors.js";
import type { InputSummary } from "../input/index.js";
import { compileRequests, loadJob, type RequestBuilder } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { readApiKey, type Endpoint } from "../provider/index.js";
import { checkOutput } from "./answer-columns.js";
import { openModelServer, type ModelServer } from "./model-server.js";
import { budgetPrices } from "./open-budget.js";
import { prepareInput } from "./prepare.js";
import { checkReuse } from "./reuse.js";
import { openSession, type SessionOptions } from "./session.js";

export interface ValidateOptions extends SessionOptions {
  /** Path of a job file. */
  readonly job: string;
  /** Instead of the job's `input.path`. */
  readonly input?: string | undefined;
  readonly set?: Readonly<Record<string, unknown>> | undefined;
}

export interface ValidatedJob {
  readonly job: ResolvedJob;
  readonly endpoint: Endpoint;
  readonly builder: RequestBuilder;
  /** null: the input is standard input, whose rows were not read. */
  readonly input: InputSummary | null;
  readonly warnings: readonly string[];
}

/**
 * Checks all that a run checks before its first call: the job, every row and its request, what a budget and a
 * reuse need. UsageError as a run's; only a missing key is a warning, since it belongs to whoever runs.
 */
export async function validateJob(options: ValidateOptions): Promise<ValidatedJob> {
  const session = await openSession(options);
  const set = { ...options.set };
  if (options.input !== undefined) set["input.path"] = resolve(session.cwd, options.input);
  const { job, warnings } = await loadJob(resolve(session.cwd, options.job), { config: session.config, set });
  const models = await openModelServer(job, session.config, {
    simulate: null,
    callsModel: false,
    log: session.log,
  });
  await models.close();
  const callPrices = budgetPrices(job, session, models);
  await checkReuse(session.runsRoot, job);
  checkOutput(job, []);
  const prepared =
    job.input.path === "-"
      ? null
      : await prepareInput(job, {
          limit: null,
          vendor: models.endpoint.vendor,
          signal: session.signal,
          onRequest: ({ request }) => void callPrices?.atMost(request),
        });
  return {
    job,
    endpoint: models.endpoint,
    builder: prepared?.builder ?? compileRequests(job),
    input: prepared?.summary ?? null,
    warnings: [...warnings, ...(prepared?.warnings ?? []), ...keyWarnings(models)],
  };
}

function keyWarnings({ endpoint, environment }: ModelServer): string[] {
  try {
    readApiKey(endpoint, environment);
    return [];
  } catch (error) {
    if (error instanceof UsageError) return [error.message];
    throw error;
  }
}

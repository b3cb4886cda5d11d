import { UsageError } from "../errors.js";
import { resolveJob } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import type { Session } from "./session.js";

/** What may be different when rows are tried again: how the model is asked, not what. */
const CHANGEABLE = ["model", "preset", "parameters", "concurrency", "attempts", "timeout", "limits"] as const;

/**
 * A run's job with some keys changed, checked as a job file is. UsageError for a key that would make other
 * requests out of the input: that is a new run.
 */
export function changedJob(
  session: Session,
  job: ResolvedJob,
  set: Readonly<Record<string, unknown>>,
): { job: ResolvedJob; warnings: readonly string[] } {
  const keys = Object.keys(set);
  if (keys.length === 0) return { job, warnings: [] };
  const foreign = keys.find((key) => !CHANGEABLE.some((name) => key === name || key.startsWith(`${name}.`)));
  if (foreign !== undefined) {
    throw new UsageError(
      `--set ${foreign}: expected one of ${CHANGEABLE.join(", ")} when rows are tried again.`,
      {
        code: "set_not_changeable",
        hint: "For anything else, correct the job file and start a new run.",
      },
    );
  }
  const presets = Object.fromEntries(
    Object.values(job.presets)
      .filter(({ source }) => source === "job")
      .map(({ name, temperature, topP }) => [name, { temperature, topP }]),
  );
  const { maxThrottledMs, ...limits } = job.limits;
  const definition = {
    name: job.name,
    model: job.model,
    provider: job.provider,
    ...(job.region === null ? {} : { region: job.region }),
    protocol: job.protocol,
    ...(job.preset === null ? {} : { preset: job.preset }),
    presets: JSON.parse(JSON.stringify(presets)) as object,
    parameters: job.parameters,
    input: { path: job.input.path },
    prompt: { user: "-" },
    concurrency: job.concurrency,
    attempts: job.attempts,
    timeout: job.timeoutMs / 1000,
    limits: { ...limits, maxThrottled: maxThrottledMs / 1000 },
  };
  const { job: changed, warnings } = resolveJob(definition, {
    config: session.config,
    set,
    file: job.file,
    baseDir: session.cwd,
  });
  const { timeoutIsDefault = false, ...kept } = job;
  return {
    job: {
      ...kept,
      ...(timeoutIsDefault && !("timeout" in set) ? { timeoutIsDefault } : {}),
      model: changed.model,
      preset: changed.preset,
      parameters: changed.parameters,
      concurrency: changed.concurrency,
      attempts: changed.attempts,
      timeoutMs: changed.timeoutMs,
      limits: changed.limits,
    },
    warnings,
  };
}

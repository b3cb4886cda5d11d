import { resolve } from "node:path";
import { UsageError } from "../errors.js";
import { loadJob, resolveJob, shortRequestDigest, type JobDefinition } from "../job/index.js";
import type { ResolvedJob } from "../job/resolved-job.js";
import { callBound, wantsThinking, type Vendor } from "../provider/index.js";
import type { RowTask } from "../protocol/events.js";
import type { SimulatorOptions } from "../simulator/index.js";
import type { Money } from "../types.js";
import { estimateRequestTokens, exactCost, MoneySum, outputTokenBound } from "../usage/index.js";
import { costOfSample, type LaneCosts, type SampledRow } from "./estimate-cost.js";
import { callSample, type SampleCalls } from "./estimate-calls.js";
import { meanOf, rounded, Sample, times, type Range } from "./estimate-sample.js";
import { answeredBy, openModelServer, type ModelServer } from "./model-server.js";
import { prepareInput } from "./prepare.js";
import { configuredPrices } from "./prices.js";
import { openReuse } from "./reuse.js";
import { openSession, type SessionOptions } from "./session.js";

/** Rows whose tokens are counted when nothing else is said. */
const DEFAULT_SAMPLE = 20_000;
/** True tokens per estimated one, by language, before any call (see `estimateTokens`): -37% to +48%. */
const UNCORRECTED: Range = { low: 0.68, likely: 1, high: 1.59 };

export interface EstimateOptions extends SessionOptions {
  readonly job: string | JobDefinition;
  readonly input?: string | undefined;
  readonly set?: Readonly<Record<string, unknown>> | undefined;
  /** Only the first so many rows. */
  readonly limit?: number | undefined;
  /** Rows whose tokens are counted. @default 20000 */
  readonly sample?: number | undefined;
  /** Real calls, billed as any other, for the length of answers. @default 0 */
  readonly calls?: number | undefined;
  readonly simulate?: boolean | SimulatorOptions | undefined;
}

/** What `estimate --json` prints. */
export interface Estimate {
  readonly schemaVersion: 1;
  readonly job: string;
  readonly model: string;
  readonly rows: number;
  /** Rows that earlier runs answered, at no cost: not in what follows. */
  readonly reused: number;
  /** Rows whose tokens were counted. */
  readonly sampled: number;
  readonly inputTokens: Range;
  /** null: not known without `maxTokens` or calls. */
  readonly outputTokens: (Range & { readonly basis: "calls" | "maxTokens" }) | null;
  readonly cost: LaneCosts;
  /** At the job's limits and concurrency; null: not known without limits or calls. */
  readonly time: { readonly seconds: number; readonly limitedBy: string } | null;
  readonly calls: {
    readonly made: number;
    readonly answered: number;
    readonly failures: Readonly<Record<string, number>>;
    readonly cost: readonly Money[];
    readonly meanLatencyMs: number | null;
    readonly simulated: boolean;
  } | null;
  readonly warnings: readonly string[];
}

/**
 * Says what a run of a job would use and cost, before paying. Reads the whole input and checks every row as
 * a run does; calls the model only for `calls`. UsageError for what a run would refuse.
 */
export async function estimate(options: EstimateOptions): Promise<Estimate> {
  const session = await openSession(options);
  const { job: read, warnings } = await readJob(options, session.cwd, session.config);
  const wanted = options.calls ?? 0;
  const simulate = options.simulate === true ? {} : options.simulate || null;
  const models = await openModelServer(read, session.config, {
    simulate,
    callsModel: wanted > 0,
    log: session.log,
  });
  try {
    const { endpoint } = models;
    const job = read.timeoutIsDefault === true ? { ...read, timeoutMs: endpoint.defaultTimeoutMs } : read;
    const prices = configuredPrices(session.config);
    const place = { provider: job.provider, region: models.priceRegion };
    const reuse = await openReuse(session.runsRoot, "", job, session.log);
    const sample = new Sample<SampledRow>(options.sample ?? DEFAULT_SAMPLE);
    const toCall = new Sample<RowTask>(wanted, 2);
    let reused = 0;
    const prepared = await prepareInput(job, {
      limit: options.limit ?? null,
      vendor: endpoint.vendor,
      signal: session.signal,
      onRequest: (payload) => {
        if (reuse !== null && reuse.has(shortRequestDigest(payload.request, answeredBy(models)))) {
          reused++;
          return;
        }
        sample.offer(() => sampledRow(payload, endpoint.vendor));
        if (wanted > 0) toCall.offer(() => payload);
      },
    });
    await reuse?.close();
    const calls = wanted === 0 ? null : await makeCalls(models, toCall.items, job, session.signal);
    const rows = sample.seen;
    const input = times(
      meanOf(
        sample.items.map((row) => row.input),
        rows,
      ),
      rows,
    );
    const ratio = calls === null ? UNCORRECTED : inputRatio(calls, rows);
    const inputTokens = rounded(times(input, ratio));
    const output = outputOf(sample.items, calls, rows);
    const cost = costOfSample(sample.items, {
      rows,
      spread: spreadOf(input),
      ratio,
      output: output === null ? null : { ...times(output, rows === 0 ? 0 : 1 / rows), basis: output.basis },
      prices,
      place,
    });
    return {
      schemaVersion: 1,
      job: job.name,
      model: job.model,
      rows: prepared.rows,
      reused,
      sampled: sample.items.length,
      inputTokens,
      outputTokens: output === null ? null : { ...rounded(output), basis: output.basis },
      cost,
      time: timeOf(job, rows, inputTokens.likely + (output?.likely ?? 0), calls),
      calls: calls === null ? null : callsSummary(calls, { prices, place, simulated: simulate !== null }),
      warnings: [...warnings, ...prepared.warnings],
    };
  } finally {
    await models.close();
  }
}

async function readJob(
  options: EstimateOptions,
  cwd: string,
  config: Parameters<typeof loadJob>[1]["config"],
): Promise<{ job: ResolvedJob; warnings: readonly string[] }> {
  const set = { ...options.set };
  if (options.input !== undefined) set["input.path"] = resolve(cwd, options.input);
  const loaded =
    typeof options.job === "string"
      ? await loadJob(resolve(cwd, options.job), { config, set })
      : resolveJob(options.job, { config, set, file: null, baseDir: cwd });
  if (loaded.job.input.path !== "-") return loaded;
  throw new UsageError("estimate: the input is standard input, which could then not be run.", {
    code: "estimate_stdin",
    hint: "Write it to a file and name that: --input rows.jsonl",
  });
}

function sampledRow({ request }: RowTask, vendor: Vendor): SampledRow {
  const { maxTokens, maxCompletionTokens } = request.parameters;
  const isLimited = maxTokens !== undefined || maxCompletionTokens !== undefined;
  return {
    model: request.model,
    input: estimateRequestTokens(request),
    outputBound: isLimited
      ? (outputTokenBound(request) ?? callBound(request, vendor)?.outputTokens ?? null)
      : null,
    thinking: wantsThinking(request, vendor),
  };
}

async function makeCalls(
  models: ModelServer,
  payloads: readonly RowTask[],
  job: ResolvedJob,
  signal: AbortSignal,
): Promise<SampleCalls> {
  const provider = models.connect(Math.min(job.concurrency, Math.max(1, payloads.length)));
  try {
    return await callSample(provider, payloads, job, signal);
  } finally {
    await provider.close();
  }
}

/** True tokens per estimated one. */
function inputRatio({ answers }: SampleCalls, rows: number): Range {
  if (answers.length === 0) return UNCORRECTED;
  const mean = meanOf(
    answers.map(({ usage, estimatedInput }) => usage.inputTokens / estimatedInput),
    rows,
  );
  return mean;
}

function outputOf(
  rows: readonly SampledRow[],
  calls: SampleCalls | null,
  population: number,
): (Range & { basis: "calls" | "maxTokens" }) | null {
  if (calls !== null && calls.answers.length > 0) {
    const mean = meanOf(
      calls.answers.map(({ usage }) => usage.outputTokens),
      population,
    );
    return { ...times(mean, population), basis: "calls" };
  }
  const bounds = rows.flatMap(({ outputBound }) => (outputBound === null ? [] : [outputBound]));
  if (bounds.length < rows.length || rows.length === 0) return null;
  const most = times(meanOf(bounds, population), population);
  return { low: 0, likely: most.likely, high: most.high, basis: "maxTokens" };
}

/** How far the sample may be off, as factors. */
function spreadOf({ low, likely, high }: Range): Range {
  return likely === 0
    ? { low: 1, likely: 1, high: 1 }
    : { low: low / likely, likely: 1, high: high / likely };
}

function timeOf(job: ResolvedJob, rows: number, tokens: number, calls: SampleCalls | null): Estimate["time"] {
  const { requestsPerMinute, tokensPerMinute } = job.limits;
  const latency = meanLatency(calls);
  const candidates = [
    ...(requestsPerMinute === undefined
      ? []
      : [{ seconds: (60 * rows) / requestsPerMinute, limitedBy: "limits.requestsPerMinute" }]),
    ...(tokensPerMinute === undefined
      ? []
      : [{ seconds: (60 * tokens) / tokensPerMinute, limitedBy: "limits.tokensPerMinute" }]),
    ...(latency === null
      ? []
      : [
          {
            seconds: (rows * latency) / 1000 / job.concurrency,
            limitedBy: `concurrency (${job.concurrency})`,
          },
        ]),
  ];
  return candidates.toSorted((a, b) => b.seconds - a.seconds)[0] ?? null;
}

function meanLatency(calls: SampleCalls | null): number | null {
  if (calls === null || calls.answers.length === 0) return null;
  return calls.answers.reduce((sum, { latencyMs }) => sum + latencyMs, 0) / calls.answers.length;
}

function callsSummary(
  calls: SampleCalls,
  about: Pick<Parameters<typeof costOfSample>[1], "prices" | "place"> & { simulated: boolean },
): Estimate["calls"] {
  const sum = new MoneySum();
  for (const { model, usage } of calls.answers) {
    const price = about.prices.lookup(model, about.place);
    const cost = price && exactCost(usage, price);
    if (price !== null && cost !== null) sum.addExact(price.currency, cost);
  }
  return {
    made: calls.made,
    answered: calls.answers.length,
    failures: calls.failures,
    cost: sum.toJSON(),
    meanLatencyMs: meanLatency(calls),
    simulated: about.simulated,
  };
}

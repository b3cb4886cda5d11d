/**
 * How much of a hidden limit the pacer uses, and how many of its calls are refused.
 *
 *     npm run bench:pace [-- <seconds measured> <part of the case's name and workers>]
 *
 * Each case starts a simulator that enforces limits per minute and per second, calls it through one or
 * three workers on a Redis of their own, and counts what the simulator answered after a warm-up: 15 s where
 * the job gives the limits, 150 s where they must be found.
 */
import { spawn } from "node:child_process";
import { setMaxListeners } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Redis } from "ioredis";
import { silentLog } from "../src/log.js";
import { createProvider, ProviderError, type Endpoint } from "../src/provider/index.js";
import { startSimulator, type RateLimits, type Simulator } from "../src/simulator/index.js";
import type { ModelRequest } from "../src/types.js";
import { createPacer } from "../src/worker/pace-create.js";

interface Case {
  readonly name: string;
  readonly limits: RateLimits;
  /** What the job says; null: nothing, so that limits must be found. */
  readonly given: { requestsPerMinute?: number; tokensPerMinute?: number };
  readonly workers: number;
  readonly latencyMs: number;
  readonly warmUpSeconds: number;
}

const RPM = { requestsPerMinute: 1_200 };
const TPM = { tokensPerMinute: 300_000 };
const given = { warmUpSeconds: 15 };
const found = { given: {}, warmUpSeconds: 150 };

const CASES: readonly Case[] = [
  { name: "given RPM", limits: { ...RPM, burst: true }, given: RPM, workers: 1, latencyMs: 500, ...given },
  { name: "given RPM", limits: { ...RPM, burst: true }, given: RPM, workers: 3, latencyMs: 500, ...given },
  { name: "given TPM", limits: { ...TPM, burst: true }, given: TPM, workers: 1, latencyMs: 500, ...given },
  { name: "given TPM", limits: { ...TPM, burst: true }, given: TPM, workers: 3, latencyMs: 500, ...given },
  { name: "found RPM", limits: RPM, workers: 1, latencyMs: 500, ...found },
  { name: "found RPM", limits: RPM, workers: 3, latencyMs: 500, ...found },
  { name: "found RPM and burst rule", limits: { ...RPM, burst: true }, workers: 1, latencyMs: 500, ...found },
  { name: "found RPM and burst rule", limits: { ...RPM, burst: true }, workers: 3, latencyMs: 500, ...found },
  { name: "found TPM", limits: TPM, workers: 1, latencyMs: 500, ...found },
  { name: "found TPM", limits: TPM, workers: 3, latencyMs: 500, ...found },
];

interface Counts {
  readonly answered: number;
  readonly rejected: number;
  readonly tokens: number;
}

function countsOf(simulator: Simulator): Counts {
  const calls = simulator.calls();
  return {
    answered: calls.answered,
    rejected: Object.values(calls.rejected).reduce((sum, count) => sum + count, 0),
    tokens: calls.tokens.input + calls.tokens.output,
  };
}

function requestOf(index: number): ModelRequest {
  const words = 40 + ((index * 7919) % 160);
  return {
    model: "qwen-plus",
    messages: [{ role: "user", content: `${index} ${"river bank ".repeat(words)}` }],
    parameters: { maxTokens: 512 },
  };
}

async function startWorker(
  simulator: Simulator,
  redisUrl: string,
  { given: limits, latencyMs }: Case,
  signal: AbortSignal,
): Promise<() => Promise<void>> {
  const concurrency = Math.ceil((latencyMs / 1000) * 60);
  const redis = new Redis(redisUrl);
  redis.on("error", () => {}); // until it has started
  const endpoint: Endpoint = {
    provider: "simulator",
    protocol: "openai",
    vendor: "model-studio",
    baseUrl: simulator.openaiBaseUrl,
    region: null,
    displayUrl: simulator.url,
    apiKeyEnvNames: [],
    keyRequired: false,
    batchChat: false,
    defaultTimeoutMs: 60_000,
  };
  const provider = createProvider(endpoint, { apiKey: null, connections: concurrency });
  const pacer = createPacer({
    redis,
    account: "bench",
    limits,
    concurrency,
    beginsSlowly: false,
    log: silentLog,
  });
  let next = Math.floor(Math.random() * 1e6);
  const work = async (): Promise<void> => {
    while (!signal.aborted) {
      const request = requestOf(next++);
      const permit = await pacer.acquire(request, signal).catch(() => null);
      if (permit === null) return;
      try {
        const answer = await provider.call(request, { signal, timeoutMs: 60_000 });
        permit.succeeded(answer.usage);
      } catch (error) {
        if (!(error instanceof ProviderError)) {
          permit.failed(null);
          return;
        }
        const waitMs = error.disposition === "throttled" ? permit.throttled(error) : permit.failed(error);
        if (waitMs !== null) await new Promise((resolve) => setTimeout(resolve, waitMs));
      }
    }
  };
  const working = Promise.all(Array.from({ length: concurrency }, work));
  return async () => {
    await working;
    pacer.close();
    await provider.close();
    redis.disconnect();
  };
}

async function runCase(which: Case, redisUrl: string, seconds: number): Promise<string[]> {
  const simulator = await startSimulator({
    limits: which.limits,
    latency: { kind: "log-normal", medianMs: which.latencyMs, sigma: 0.3 },
    trackRequests: false,
  });
  const stop = new AbortController();
  setMaxListeners(0, stop.signal);
  const stops = await Promise.all(
    Array.from({ length: which.workers }, () => startWorker(simulator, redisUrl, which, stop.signal)),
  );
  await new Promise((resolve) => setTimeout(resolve, which.warmUpSeconds * 1000));
  const before = countsOf(simulator);
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  const after = countsOf(simulator);
  stop.abort(new Error("measured"));
  await Promise.all(stops.map((end) => end()));
  await simulator.close();
  const minutes = seconds / 60;
  const { requestsPerMinute, tokensPerMinute } = which.limits;
  const reached =
    requestsPerMinute === undefined
      ? (after.tokens - before.tokens) / minutes / (tokensPerMinute ?? 1)
      : (after.answered - before.answered) / minutes / requestsPerMinute;
  const calls = after.answered - before.answered + after.rejected - before.rejected;
  return [
    which.name,
    String(which.workers),
    `${(reached * 100).toFixed(1)}%`,
    `${((100 * (after.rejected - before.rejected)) / calls).toFixed(2)}%`,
    `${((100 * before.rejected) / Math.max(1, before.rejected + before.answered)).toFixed(1)}%`,
  ];
}

async function withRedis<T>(work: (url: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "promptmill-pace-"));
  const port = 20_000 + Math.floor(Math.random() * 20_000);
  const server = spawn(
    "redis-server",
    ["--port", String(port), "--save", "", "--appendonly", "no", "--dir", folder],
    {
      stdio: "ignore",
    },
  );
  try {
    return await work(`redis://127.0.0.1:${port}`);
  } finally {
    server.kill();
    await rm(folder, { recursive: true, force: true });
  }
}

const [secondsText = "180", wanted = ""] = process.argv.slice(2);
const chosen = CASES.filter(({ name, workers }) => `${name} ${workers}`.includes(wanted));
// At once: they make some twenty calls a second each. A Redis of its own for each, so that none learns of another.
const lines = await Promise.all(
  chosen.map((which) => withRedis((url) => runCase(which, url, Number(secondsText)))),
);
console.log("| limit | workers | of the limit | refused | refused in the warm-up |");
console.log("|---|---|---|---|---|");
for (const line of lines) console.log(`| ${line.join(" | ")} |`);

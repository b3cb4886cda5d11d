import { UsageError } from "../errors.js";
import { checkErrorMix } from "./error-mix.js";
import type { ErrorMix } from "./faults.js";
import type { Latency } from "./latency.js";
import type { RateLimits } from "./rate-limiter.js";

/** How the simulated model server behaves. Everything has a default: a server that answers at once, well. */
export interface SimulatorOptions {
  /** 0: any free port. @default 0 */
  readonly port?: number;
  /** @default 127.0.0.1 */
  readonly host?: string;
  /** Decides, with each request, which faults it meets and how long it takes. Any integer. @default 1 */
  readonly seed?: number;
  /** Before the first byte of an answer. @default fixed, 0 ms */
  readonly latency?: Latency;
  /** Added for each output token; streams are paced by it. @default 0 */
  readonly perOutputTokenMs?: number;
  /** Shares of faults and oddities; see parseErrorMix. @default none */
  readonly errors?: ErrorMix;
  /** @default none */
  readonly limits?: RateLimits;
  /** Sent as Retry-After with every 429, whole seconds; null sends none, as Model Studio does. @default null */
  readonly retryAfterSeconds?: number | null;
  /** When set, calls with another key or none get 401. */
  readonly apiKey?: string;
  /** Calls without a key get 401. @default false */
  readonly requireKey?: boolean;
  /** How long calls of the Batch Chat path are held open before they are answered. @default 0 */
  readonly batchChatDelayMs?: number;
  /** How long the fault `slow_body` takes to send a body. @default 10000 */
  readonly slowBodyMs?: number;
  /** Names outside the known model families are refused with 404. @default false */
  readonly strictModels?: boolean;
  /** Keep counts for each distinct request; false keeps memory constant. @default true */
  readonly trackRequests?: boolean;
}

export type ResolvedSimulatorOptions = Required<Omit<SimulatorOptions, "apiKey">> & {
  readonly apiKey: string | null;
};

const defaults: ResolvedSimulatorOptions = {
  port: 0,
  host: "127.0.0.1",
  seed: 1,
  latency: { kind: "fixed", ms: 0 },
  perOutputTokenMs: 0,
  errors: {},
  limits: {},
  retryAfterSeconds: null,
  apiKey: null,
  requireKey: false,
  batchChatDelayMs: 0,
  slowBodyMs: 10_000,
  strictModels: false,
  trackRequests: true,
};

/** Fills in defaults and checks ranges. Throws UsageError naming the option, the bounds and what came. */
export function resolveSimulatorOptions(options: SimulatorOptions): ResolvedSimulatorOptions {
  const given = Object.entries(options).filter(([, value]) => value !== undefined);
  const resolved: ResolvedSimulatorOptions = { ...defaults, ...Object.fromEntries(given) };
  const { port, seed } = resolved;
  check("port", port, Number.isInteger(port) && port <= 65_535, "an integer from 0 to 65535");
  check("seed", Math.abs(seed), Number.isSafeInteger(seed), "an integer");
  const { latency } = resolved;
  if (latency.kind === "fixed") check("latency.ms", latency.ms);
  else {
    check("latency.medianMs", latency.medianMs);
    check("latency.sigma", latency.sigma);
  }
  for (const name of ["perOutputTokenMs", "batchChatDelayMs", "slowBodyMs", "retryAfterSeconds"] as const) {
    check(name, resolved[name] ?? 0);
  }
  const { requestsPerMinute = 1, tokensPerMinute = 1 } = resolved.limits;
  check("limits.requestsPerMinute", requestsPerMinute, requestsPerMinute > 0, "a number above 0");
  check("limits.tokensPerMinute", tokensPerMinute, tokensPerMinute > 0, "a number above 0");
  checkErrorMix(resolved.errors);
  return resolved;
}

function check(name: string, value: number, accepted = true, expected = "a number from 0"): void {
  if (Number.isFinite(value) && value >= 0 && accepted) return;
  throw new UsageError(`The simulator's ${name} must be ${expected}, received ${value}.`, {
    code: "invalid_simulator_option",
    hint: `Change ${name}, or leave it out for its default.`,
  });
}

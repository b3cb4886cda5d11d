import { UsageError } from "../errors.js";
import type { SimulatorOptions } from "../simulator/index.js";

/**
 * Reads `--simulate [spec]`: without a spec a well-behaved model; else comma-separated `name=value`, where
 * a name is `latency` (ms), `seed`, `rpm`, `tpm`, or a fault or oddity with its share (every call without).
 */
export async function parseSimulateFlag(
  flag: string | boolean | undefined,
): Promise<boolean | SimulatorOptions> {
  if (flag === undefined || typeof flag === "boolean") return flag ?? false;
  const { parseErrorMix } = await import("../simulator/index.js");
  const faults: string[] = [];
  const numbers = new Map<string, number>();
  for (const part of flag.split(",").map((text) => text.trim())) {
    if (part === "") continue;
    const [name = "", value = ""] = part.split("=");
    if (!["latency", "seed", "rpm", "tpm"].includes(name)) faults.push(part);
    else numbers.set(name, numberOf(name, value));
  }
  const latency = numbers.get("latency");
  const seed = numbers.get("seed");
  const requestsPerMinute = numbers.get("rpm");
  const tokensPerMinute = numbers.get("tpm");
  return {
    errors: parseErrorMix(faults.join(",")),
    ...(latency === undefined ? {} : { latency: { kind: "fixed", ms: latency } }),
    ...(seed === undefined ? {} : { seed }),
    limits: {
      ...(requestsPerMinute === undefined ? {} : { requestsPerMinute }),
      ...(tokensPerMinute === undefined ? {} : { tokensPerMinute }),
    },
  };
}

function numberOf(name: string, value: string): number {
  const number = Number(value);
  if (value.trim() !== "" && Number.isFinite(number) && number >= 0) return number;
  throw new UsageError(`--simulate: ${name}: expected a number from 0, received ${JSON.stringify(value)}.`, {
    code: "simulate_invalid",
    hint: "For example: --simulate latency=50,rate_limit=0.1,usage:missing",
  });
}

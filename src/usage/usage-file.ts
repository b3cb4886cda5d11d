import { z } from "zod";
import type { UsageReport } from "./usage-report.js";

const count = z.number().min(0);
const money = z.object({ amount: z.number(), currency: z.string() });
const tokens = z.object({
  input: count,
  output: count,
  cachedInput: count,
  reasoning: count,
  total: count,
  cacheWrite: count.optional(),
});
/** Absent in files of earlier versions. */
const laterCount = count.default(0);
const failures = z.record(z.string(), count);
const modelUsage = z.object({
  model: z.string(),
  rows: z.object({ succeeded: count, failed: count }),
  attempts: z.object({ billed: count, possiblyBilled: count, unknownUsage: laterCount, unpriced: count }),
  tokens,
  cost: money.nullable(),
  approximate: z.boolean().optional(),
  failures,
  reused: z.object({ rows: count, saved: money.nullable() }),
});

const usageFileSchema = z.object({
  schemaVersion: z.literal(1),
  runId: z.string(),
  job: z.string(),
  tags: z.record(z.string(), z.string()),
  provider: z.string().nullable(),
  region: z.string().nullable(),
  lane: z.enum(["real-time", "batch"]),
  startedAt: z.string(),
  finishedAt: z.string().nullable(),
  rows: z.object({ total: count, succeeded: count, failed: count }),
  attempts: z.object({ billed: count, possiblyBilled: count, unknownUsage: laterCount }),
  tokens,
  cost: z.object({
    amount: z.number().nullable(),
    currency: z.string().nullable(),
    pricesAsOf: z.string().nullable(),
    unpricedModels: z.array(z.string()),
    approximateModels: z.array(z.string()),
    byCurrency: z.array(money),
  }),
  failures,
  reused: z.object({ rows: count, saved: z.array(money) }),
  models: z.array(modelUsage),
  possiblyBilled: z.object({
    rows: z.array(
      z.object({
        rowIndex: count,
        customId: z.string(),
        model: z.string(),
        starts: count,
        atMost: money.nullable(),
      }),
    ),
    atMost: z.array(money),
    unbounded: count,
    unknownStarts: laterCount,
  }),
  unknownUsage: z.object({ atMost: z.array(money), unbounded: count }).default({ atMost: [], unbounded: 0 }),
  hours: z.array(modelUsage.extend({ hour: z.string().regex(/^\d{4}-\d{2}-\d{2}T\d{2}Z$/) })),
});

/** Reads the text of a usage.json; null when it is not one of this version. Unknown fields are dropped. */
export function parseUsageFile(text: string): UsageReport | null {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    return null;
  }
  const parsed = usageFileSchema.safeParse(data);
  // The schema is the type spelled out, but for optional fields and the open set of failure kinds.
  return parsed.success ? (parsed.data as UsageReport) : null;
}

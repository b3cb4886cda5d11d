import { z } from "zod";

/** Prices per 1,000,000 tokens for requests of up to `upToInputTokens` input tokens. */
export interface PriceTier {
  /** Inclusive; null: no bound. */
  readonly upToInputTokens: number | null;
  readonly input: number;
  readonly output: number;
  /** For the whole output, thinking and answer, of a request made in thinking mode. Default: `output`. */
  readonly thinkingOutput?: number | undefined;
  /** Cached input. Default: 20% of `input`. */
  readonly cachedInput?: number | undefined;
  /** Input written to an explicit cache. Default: 125% of `input`. */
  readonly cacheWrite?: number | undefined;
  /** Audio in the input. Default: `input`. */
  readonly audioInput?: number | undefined;
}

export interface PriceEntry {
  readonly model: string;
  /** null: any region. */
  readonly region: string | null;
  /** null: any provider. */
  readonly provider: string | null;
  /** ISO 4217. */
  readonly currency: string;
  /** Whether the provider's half-price batch lane is known to take this model. */
  readonly batch: boolean;
  /** Ascending by bound. Input above the last bound has no known price. */
  readonly tiers: readonly PriceTier[];
  readonly source: string;
  /** Day on which the price was looked up, yyyy-mm-dd; null: the user's own, undated. */
  readonly asOf: string | null;
  /** What is uncertain about the figures. */
  readonly note?: string;
  /** The price is that of the model which this one is a dated snapshot of. */
  readonly approximate?: boolean;
}

/** Six decimals at most: sums are then exact (see ExactAmount). */
const price = z
  .number()
  .min(0)
  .max(1_000_000)
  .refine((value) => Number(value.toFixed(6)) === value, { error: "at most six decimals" });

const rates = {
  input: price,
  output: price,
  thinkingOutput: price.optional(),
  cachedInput: price.optional(),
  cacheWrite: price.optional(),
  audioInput: price.optional(),
};

const tiersSchema = z
  .array(z.strictObject({ upToInputTokens: z.int().positive().nullable(), ...rates }))
  .min(1)
  .refine((tiers) => isAscending(tiers.map((tier) => tier.upToInputTokens)), {
    error: "tiers must ascend by upToInputTokens, and only the last may be null",
  });

const day = z.iso.date();
const currency = z.string().regex(/^[A-Z]{3}$/, "expected a currency code such as USD or CNY");
const place = { region: z.string().min(1).optional(), provider: z.string().min(1).optional() };
const about = { source: z.string().min(1).optional(), asOf: day.optional(), note: z.string().optional() };
const head = { model: z.string().min(1), ...place, currency, batch: z.boolean().optional(), ...about };

/** An entry of `prices:` in the configuration file: one flat rate, or `tiers` by input length. */
const priceOverrideSchema = z.union([
  z.strictObject({ ...head, ...rates }),
  z.strictObject({ ...head, tiers: tiersSchema }),
]);

/**
 * `prices:` of the configuration file. An entry without `region` or `provider` applies to any; the most
 * specific one wins, and any of them beats the built-in table. Amounts per 1,000,000 tokens.
 */
export const pricesSchema = z.array(priceOverrideSchema);

export type PriceOverride = z.infer<typeof priceOverrideSchema>;

/** The shape of the built-in table's file. */
export const priceDataSchema = z.strictObject({
  asOf: day,
  notes: z.array(z.string()),
  entries: z.array(
    z.strictObject({
      ...head,
      region: z.string(),
      batch: z.boolean(),
      tiers: tiersSchema,
      source: z.string(),
      asOf: day,
    }),
  ),
});

function isAscending(bounds: readonly (number | null)[]): boolean {
  return bounds.every((bound, index) => {
    const next = bounds[index + 1];
    return next === undefined || (bound !== null && (next === null || next > bound));
  });
}

import { readFileSync } from "node:fs";
// The type-only import makes the compiler copy the file beside the output; reading it by hand keeps
// Node 20 from warning about JSON modules.
import type priceFile from "./prices.json";
import {
  priceDataSchema,
  pricesSchema,
  type PriceEntry,
  type PriceOverride,
  type PriceTier,
} from "./price-entry.js";

/** Where a model is called: what decides its price and currency. */
export interface PricePlace {
  /** A region's name or a workspace host; null where the provider has none. */
  readonly region?: string | null;
  /** A provider's name as in the job file. */
  readonly provider?: string | null;
}

/** Dated prices. Immutable; safe to share. */
export interface PriceTable {
  /** Day of the built-in table, yyyy-mm-dd. */
  readonly asOf: string;
  /** What holds for the whole table. */
  readonly notes: readonly string[];
  /** The user's own entries first, then the built-in ones. */
  readonly entries: readonly PriceEntry[];
  /**
   * The price of a model, or null when there is none: it is then unpriced, not free. A `-latest` name is
   * priced as its base; a dated snapshot (`-2025-09-11`) too, marked approximate. A string stands for
   * either a region or a provider.
   */
  lookup(model: string, place: PricePlace | string | null): PriceEntry | null;
}

/** A table older than this should be checked against the provider's page. */
export const PRICE_TABLE_MAX_AGE_DAYS = 90;

let builtIn: PriceTable | undefined;

/** The prices that ship: Model Studio in Singapore (USD) and Beijing (CNY). */
export function builtInPrices(): PriceTable {
  builtIn ??= createPriceTable([]);
  return builtIn;
}

/**
 * The built-in prices under the user's own, which are as `prices:` of the configuration file gives them.
 * Throws ZodError when they do not fit `pricesSchema`.
 */
export function createPriceTable(overrides: readonly PriceOverride[] = []): PriceTable {
  const data = readPriceFile();
  const own = pricesSchema.parse(overrides).map(entryFromOverride);
  const shipped: PriceEntry[] = data.entries.map(({ note, provider, ...entry }) => ({
    ...entry,
    provider: provider ?? null,
    ...(note === undefined ? {} : { note }),
  }));
  const found = new Map<string, PriceEntry | null>();
  const lookup = (model: string, place: PricePlace | string | null): PriceEntry | null => {
    const where = typeof place === "string" ? { region: place, provider: place } : (place ?? {});
    const region = where.region ? normalizeRegion(where.region) : null;
    const provider = where.provider ?? null;
    const key = JSON.stringify([model, region, provider]);
    const known = found.get(key);
    if (known !== undefined) return known;
    const entry = findEntry([own, shipped], model, region, provider);
    found.set(key, entry);
    return entry;
  };
  return { asOf: data.asOf, notes: data.notes, entries: [...own, ...shipped], lookup };
}

/** A sentence when the table is more than 90 days old at `now`, else null. */
export function priceTableAgeWarning(table: PriceTable, now: Date): string | null {
  const days = Math.floor((now.getTime() - Date.parse(table.asOf)) / 86_400_000);
  if (days <= PRICE_TABLE_MAX_AGE_DAYS) return null;
  return (
    `The built-in prices are of ${table.asOf}, ${days} days ago. ` +
    `Check them against the provider's price page and put what changed under prices: in promptmill.config.yaml.`
  );
}

/** Brings a workspace host or a spelling of a region to the name that prices are listed under. */
export function normalizeRegion(region: string): string {
  const name = region.trim().toLowerCase();
  const known = REGION_MARKS.find(([mark]) => name.includes(mark));
  return known ? known[1] : name;
}

/** Parts of Model Studio's host names (legacy and workspace hosts) by region; first match wins. */
const REGION_MARKS: readonly (readonly [mark: string, region: string])[] = [
  ["ap-southeast-1", "singapore"],
  ["dashscope-intl", "singapore"],
  ["cn-hongkong", "hong-kong"],
  ["us-east-1", "virginia"],
  ["dashscope-us", "virginia"],
  ["cn-beijing", "beijing"],
  ["ap-northeast-1", "tokyo"],
  ["eu-central-1", "frankfurt"],
  ["dashscope.aliyuncs.com", "beijing"],
  // Batch Chat, by the name that job files give it.
  ["beijing-batch", "beijing"],
];

function findEntry(
  layers: readonly (readonly PriceEntry[])[],
  model: string,
  region: string | null,
  provider: string | null,
): PriceEntry | null {
  for (const { name, approximate } of pricedNames(model)) {
    for (const entries of layers) {
      const entry = mostSpecific(entries, name, region, provider);
      if (entry) return approximate ? { ...entry, approximate: true } : entry;
    }
  }
  return null;
}

function pricedNames(model: string): { name: string; approximate: boolean }[] {
  const names = [{ name: model, approximate: false }];
  if (model.endsWith("-latest")) names.push({ name: model.slice(0, -"-latest".length), approximate: false });
  const dated = /^(.+)-\d{4}-\d{2}-\d{2}$/.exec(model);
  if (dated?.[1]) names.push({ name: dated[1], approximate: true });
  return names;
}

function mostSpecific(
  entries: readonly PriceEntry[],
  model: string,
  region: string | null,
  provider: string | null,
): PriceEntry | null {
  let best: PriceEntry | null = null;
  let bestScore = -1;
  for (const entry of entries) {
    if (entry.model !== model) continue;
    if (entry.region !== null && entry.region !== region) continue;
    if (entry.provider !== null && entry.provider !== provider) continue;
    const score = (entry.provider === null ? 0 : 2) + (entry.region === null ? 0 : 1);
    // >=: of two equally specific entries the later one is what the user added last.
    if (score >= bestScore) [best, bestScore] = [entry, score];
  }
  return best;
}

function entryFromOverride(override: PriceOverride): PriceEntry {
  const tiers: readonly PriceTier[] =
    "tiers" in override ? override.tiers : [{ upToInputTokens: null, ...flatRates(override) }];
  return {
    model: override.model,
    region: override.region === undefined ? null : normalizeRegion(override.region),
    provider: override.provider ?? null,
    currency: override.currency,
    batch: override.batch ?? true,
    tiers,
    source: override.source ?? "configuration file",
    asOf: override.asOf ?? null,
    ...(override.note === undefined ? {} : { note: override.note }),
  };
}

function flatRates(override: Exclude<PriceOverride, { tiers: unknown }>): Omit<PriceTier, "upToInputTokens"> {
  const { input, output, thinkingOutput, cachedInput, cacheWrite, audioInput } = override;
  return { input, output, thinkingOutput, cachedInput, cacheWrite, audioInput };
}

function readPriceFile(): ReturnType<typeof priceDataSchema.parse> {
  const file: typeof priceFile = JSON.parse(readFileSync(new URL("./prices.json", import.meta.url), "utf8"));
  return priceDataSchema.parse(file);
}

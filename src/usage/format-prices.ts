import type { PriceEntry, PriceTier } from "./price-entry.js";
import type { PriceTable } from "./price-table.js";
import { formatTextTable } from "./text-table.js";

/**
 * The table that `prices` prints: one line per model, place and tier, per 1,000,000 tokens, the user's own
 * entries first, then sources and what is uncertain.
 */
export function formatPrices(table: PriceTable): string {
  const lines = table.entries.flatMap((entry) =>
    entry.tiers.map((tier, index) => [
      index === 0 ? entry.model : "",
      index === 0 ? placeOf(entry) : "",
      bound(tier, entry.tiers.length),
      String(tier.input),
      String(tier.output),
      String(tier.thinkingOutput ?? ""),
      String(tier.cachedInput ?? ""),
      index === 0 ? entry.currency : "",
    ]),
  );
  const grid = formatTextTable(
    [
      { title: "model" },
      { title: "where" },
      { title: "input up to", align: "right" },
      { title: "in", align: "right" },
      { title: "out", align: "right" },
      { title: "thinking", align: "right" },
      { title: "cached", align: "right" },
      { title: "" },
    ],
    lines,
  );
  return [
    `Prices per 1,000,000 tokens, built-in table of ${table.asOf}`,
    "",
    grid,
    "",
    ...table.notes,
    "",
    "Sources:",
    ...sources(table),
    "",
  ].join("\n");
}

function sources(table: PriceTable): string[] {
  return table.entries.map((entry) => {
    const dated = entry.asOf === null ? "" : `, seen ${entry.asOf}`;
    const note = entry.note === undefined ? "" : ` Note: ${entry.note}`;
    return `  ${entry.model} (${placeOf(entry)}): ${entry.source}${dated}.${note}`;
  });
}

function placeOf(entry: PriceEntry): string {
  return [entry.provider, entry.region].filter((part) => part !== null).join("/") || "anywhere";
}

function bound(tier: PriceTier, tiers: number): string {
  if (tier.upToInputTokens !== null) return `${tier.upToInputTokens / 1000}K`;
  return tiers === 1 ? "" : "above";
}

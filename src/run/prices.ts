import { ZodError, prettifyError } from "zod";
import type { Config } from "../config.js";
import { UsageError } from "../errors.js";
import { createPriceTable, type PriceOverride, type PriceTable } from "../usage/index.js";

/** The built-in prices under those of the configuration file. UsageError when these are not prices. */
export function configuredPrices({ prices, file }: Pick<Config, "prices" | "file">): PriceTable {
  try {
    return createPriceTable(prices as unknown as readonly PriceOverride[]);
  } catch (error) {
    if (!(error instanceof ZodError)) throw error;
    throw new UsageError(`${file ?? "configuration"}: prices: ${prettifyError(error)}`, {
      code: "prices_invalid",
      hint: "promptmill prices --json shows the shape of an entry; amounts are per 1,000,000 tokens.",
      cause: error,
    });
  }
}

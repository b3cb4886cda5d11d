export {
  aggregate,
  parseDimensions,
  type AggregateOptions,
  type Dimension,
  type UsageSummary,
} from "./aggregate.js";
export {
  compareWithBill,
  type BillComparison,
  type BillDifference,
  type CompareOptions,
} from "./bill-check.js";
export { readBill, type BillRow } from "./bill.js";
export {
  costBound,
  estimateCost,
  exactCost,
  exactCostBound,
  priceUsage,
  tierFor,
  type CostEstimate,
  type CostEstimateInput,
  type Lane,
} from "./cost.js";
export { compareText } from "./compare-text.js";
export { EstimateCorrection, type EstimateCorrectionState } from "./estimate-correction.js";
export { checkExchangeRates, convertMoney, parseExchangeRate, type ExchangeRate } from "./exchange-rate.js";
export { formatBillComparison } from "./format-bill-comparison.js";
export { formatPrices } from "./format-prices.js";
export { formatAmount, formatMoney, MoneySum, toExact, toNumber, type ExactAmount } from "./money.js";
export { pricesSchema, type PriceEntry, type PriceOverride, type PriceTier } from "./price-entry.js";
export {
  builtInPrices,
  createPriceTable,
  normalizeRegion,
  PRICE_TABLE_MAX_AGE_DAYS,
  priceTableAgeWarning,
  type PricePlace,
  type PriceTable,
} from "./price-table.js";
export { formatReportCsv } from "./report-csv.js";
export { formatReportHtml, type HtmlReportOptions } from "./report-html.js";
export { formatReportJson } from "./report-json.js";
export { formatReportTable } from "./report-table.js";
export type { PossibleCall, PossiblyBilledRow } from "./possible-calls.js";
export { estimateRequestTokens, estimateTokens, outputTokenBound } from "./token-estimate.js";
export type { RunUsage } from "./run-usage.js";
export type { TokenCounts } from "./usage-bucket.js";
export { parseUsageFile } from "./usage-file.js";
export type { UsageGroup } from "./usage-group.js";
export {
  buildUsageReport,
  type HourUsage,
  type ModelUsage,
  type UsageReport,
  type UsageReportMeta,
} from "./usage-report.js";
export {
  UsageTotals,
  type CountableCall,
  type CountableResult,
  type UsageTotalsOptions,
} from "./usage-totals.js";

import type { Estimate } from "../run/estimate.js";
import type { MoneyRange } from "../run/estimate-cost.js";
import { formatMoney } from "../usage/index.js";
import { compactNumber, count, duration } from "./format.js";

const LABEL = 16;

/** What `estimate` prints. */
export function estimateText(estimate: Estimate): string {
  const { rows, reused, sampled, inputTokens, outputTokens, cost, time, calls } = estimate;
  const lines = [`Estimate for ${estimate.job} (${estimate.model})`, ""];
  const add = (label: string, value: string): void => void lines.push(`  ${label.padEnd(LABEL)}${value}`);
  const isSample = sampled < rows - reused;
  add("rows", `${count(rows)}${isSample ? `, tokens counted in ${count(sampled)} of them` : ""}`);
  if (reused > 0) add("reused", `${count(reused)} answers of earlier runs, at no cost and not counted below`);
  add("input tokens", `${rangeText(inputTokens)}${calls === null ? ", by a rough count" : ""}`);
  add(
    "output tokens",
    outputTokens === null
      ? "not known: set parameters.maxTokens, or try some rows with --calls 5"
      : outputTokens.basis === "maxTokens"
        ? `at most ${count(outputTokens.high)} (the limit of every answer)`
        : rangeText(outputTokens),
  );
  add("cost", costText(cost.realTime, estimate));
  if (cost.batch !== null) add("  in batch", costText(cost.batch, estimate));
  if (cost.unpricedModels.length > 0) add("", `without ${cost.unpricedModels.join(", ")}: no price known`);
  add(
    "time",
    time === null
      ? "not known without limits; --calls 5 measures some answers"
      : `about ${duration(time.seconds)}, limited by ${time.limitedBy}`,
  );
  if (calls !== null) {
    const failed = Object.entries(calls.failures).map(([code, number]) => `${number} ${code}`);
    lines.push(
      "",
      `Made ${count(calls.made)} ${calls.simulated ? "simulated" : "real"} calls: ${count(calls.answered)} answered` +
        `${calls.meanLatencyMs === null ? "" : ` in ${duration(calls.meanLatencyMs / 1000)} on average`}` +
        `${failed.length === 0 ? "" : `, failed: ${failed.join(", ")}`}.` +
        `${calls.simulated || calls.cost.length === 0 ? "" : ` They cost ${calls.cost.map(formatMoney).join(" + ")}.`}`,
    );
  } else {
    lines.push("", "Nothing was called.");
  }
  return `${lines.join("\n")}\n`;
}

function rangeText({ low, likely, high }: Estimate["inputTokens"]): string {
  if (low === high) return count(likely);
  return `about ${count(likely)} (${compactNumber(low)} to ${compactNumber(high)})`;
}

function costText(costs: readonly MoneyRange[], { outputTokens, cost }: Estimate): string {
  if (costs.length === 0) return "not known";
  const texts = costs.map(({ low, likely, high, currency }) => {
    const money = (amount: number): string => formatMoney({ amount, currency });
    if (!cost.includesOutput) return `${money(likely)} for the input alone`;
    if (outputTokens?.basis === "maxTokens") return `at most ${money(high)}`;
    return low === high ? money(likely) : `about ${money(likely)} (${money(low)} to ${money(high)})`;
  });
  const dated = cost.pricesAsOf === null ? "" : ` (prices of ${cost.pricesAsOf})`;
  return `${texts.join(" + ")}${dated}`;
}

import { relative } from "node:path";
import type { RunSummary } from "../run/carry-out.js";
import { formatMoney, priceTableAgeWarning, builtInPrices } from "../usage/index.js";
import { count, duration, oneLine } from "./format.js";

/** Columns before the values. */
const LABEL = 11;

/** What a user reads at the end of a run, in at most `width` columns where paths allow. */
export function summaryText(summary: RunSummary, width: number): string {
  const { usage, rows, files } = summary;
  const lines: string[] = [""];
  if (summary.simulated) {
    lines.push("SIMULATED MODEL: the answers below are artificial and nothing was paid.", "");
  }
  lines.push(`Run ${summary.runId} ${stateText(summary)} in ${duration(summary.seconds)}.`, "");
  const add = (label: string, value: string): void => void lines.push(`  ${label.padEnd(LABEL - 2)}${value}`);
  const pending = rows.total - rows.succeeded - rows.failed;
  add(
    "rows",
    `${count(rows.total)}: ${count(rows.succeeded)} succeeded, ${count(rows.failed)} failed${pending > 0 ? `, ${count(pending)} not done` : ""}`,
  );
  add("tokens", `${count(usage.tokens.input)} in, ${count(usage.tokens.output)} out`);
  add("cost", costText(summary));
  if (usage.reused.rows > 0) {
    const saved = usage.reused.saved.map(formatMoney).join(" + ");
    add(
      "reused",
      `${count(usage.reused.rows)} answers of earlier runs${saved === "" ? "" : `, which saved ${saved}`}`,
    );
  }
  if (usage.attempts.possiblyBilled > 0) {
    const { atMost } = usage.possiblyBilled;
    add(
      "",
      `${count(usage.attempts.possiblyBilled)} calls without a recorded answer may have been billed as well${atMost.length === 0 ? "" : `, at most ${atMost.map(formatMoney).join(" + ")}`}`,
    );
  }
  if (summary.truncated > 0) {
    add(
      "warning",
      `${count(summary.truncated)} answers were cut off at their token limit (raise parameters.maxTokens)`,
    );
  }
  if (files !== null) {
    add("results", shown(files.results));
    if (files.errors !== null) add("errors", shown(files.errors));
    add("usage", shown(files.usage));
  } else {
    add("kept in", shown(summary.directory));
  }
  if (summary.firstAnswers.length > 0) {
    lines.push("", `First answers${summary.simulated ? " (simulated model)" : ""}:`);
    const idWidth = Math.min(20, Math.max(...summary.firstAnswers.map(({ customId }) => customId.length)));
    for (const { customId, text } of summary.firstAnswers) {
      lines.push(
        `  ${oneLine(customId, idWidth + 1).padEnd(idWidth)}  ${oneLine(text, width - idWidth - 4)}`,
      );
    }
  }
  lines.push(...nextSteps(summary));
  return `${lines.join("\n")}\n`;
}

/** The documented contract of `--json`. */
export function summaryJson(summary: RunSummary): object {
  const { halt, ...rest } = summary;
  return {
    ...rest,
    halt: halt === null ? null : { code: halt.code, message: halt.message, hint: halt.hint ?? null },
  };
}

function stateText(summary: RunSummary): string {
  if (summary.state === "finished") return "finished";
  return summary.state === "halted" ? "halted" : "was interrupted";
}

function costText({ usage, simulated }: RunSummary): string {
  const { byCurrency, unpricedModels, pricesAsOf } = usage.cost;
  const age = priceTableAgeWarning(builtInPrices(), new Date());
  const parts = [
    byCurrency.length === 0
      ? unpricedModels.length > 0
        ? "not known"
        : "0"
      : byCurrency.map(formatMoney).join(" + "),
  ];
  if (pricesAsOf !== null && byCurrency.length > 0)
    parts.push(`(prices of ${pricesAsOf}${simulated ? ", if it were real" : ""})`);
  if (unpricedModels.length > 0) parts.push(`without ${unpricedModels.join(", ")}: no price known`);
  if (age !== null && byCurrency.length > 0) parts.push(`; ${age}`);
  return parts.join(" ");
}

function nextSteps(summary: RunSummary): string[] {
  const lines: string[] = [];
  if (summary.halt !== null) {
    lines.push("", `Halted: ${summary.halt.message}`);
    if (summary.halt.hint !== undefined) lines.push(`        ${summary.halt.hint}`);
  }
  if (summary.files === null) {
    lines.push(
      "",
      `Go on:   promptmill resume ${summary.runId}`,
      `So far:  promptmill export ${summary.runId}`,
    );
  } else if (summary.rows.failed > 0) {
    lines.push("", `Try the failed rows again:  promptmill retry ${summary.runId}`);
  }
  return lines;
}

function shown(path: string): string {
  const fromHere = relative(process.cwd(), path);
  return fromHere === "" || fromHere.startsWith("..") ? path : fromHere;
}

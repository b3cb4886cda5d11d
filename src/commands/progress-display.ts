import cliProgress from "cli-progress";
import type { Progress } from "../run/progress.js";
import { formatMoney } from "../usage/index.js";
import { compactNumber, duration } from "./format.js";

/** Off a terminal, one line now and then is enough. */
const LINE_INTERVAL_MS = 10_000;
const BAR_WIDTH = 14;

export interface ProgressDisplay {
  readonly show: (progress: Progress) => void;
  /** Says something above the progress line. */
  readonly note: (message: string) => void;
  /** Takes the progress line away, for somebody else's line; it comes back with the next progress. */
  readonly clear: () => void;
  readonly stop: () => void;
}

/** Progress on stderr: a line that moves on a terminal, a plain line every ten seconds elsewhere. */
export function openProgressDisplay(options: { quiet: boolean }): ProgressDisplay {
  if (options.quiet) return { show() {}, note: writeLine, clear() {}, stop() {} };
  return process.stderr.isTTY ? terminalDisplay() : plainDisplay();
}

function writeLine(message: string): void {
  process.stderr.write(`${message}\n`);
}

function plainDisplay(): ProgressDisplay {
  let lastAt = performance.now();
  return {
    show: (progress) => {
      if (progress.phase === "done" || performance.now() - lastAt < LINE_INTERVAL_MS) return;
      lastAt = performance.now();
      writeLine(progressText(progress, 200));
    },
    note: writeLine,
    clear() {},
    stop() {},
  };
}

function terminalDisplay(): ProgressDisplay {
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    gracefulExit: false,
    format: (_options, _params, payload: { progress?: Progress }) =>
      payload.progress === undefined
        ? ""
        : progressText(payload.progress, (process.stderr.columns ?? 80) - 1),
  });
  let isShown = false;
  const clear = (): void => {
    if (isShown) bar.stop();
    isShown = false;
  };
  return {
    show: (progress) => {
      if (progress.phase === "done") return clear();
      if (!isShown) bar.start(progress.rows.total, 0, { progress });
      isShown = true;
      bar.update(progress.rows.succeeded + progress.rows.failed, { progress });
    },
    note: (message) => {
      clear();
      writeLine(message);
    },
    clear,
    stop: clear,
  };
}

/** One line of at most `width` characters; what matters least is left out first. */
export function progressText(progress: Progress, width: number): string {
  const { rows } = progress;
  const done = rows.succeeded + rows.failed;
  if (progress.phase === "writing") return `Writing results of ${done} rows …`.slice(0, width);
  const parts = [
    `${done}/${rows.total}`,
    ...(rows.failed > 0 ? [`${rows.failed} failed`] : []),
    progress.phase === "stopping"
      ? `stopping, ${progress.inFlight} calls left`
      : progress.secondsLeft === null
        ? "starting"
        : `${duration(progress.secondsLeft)} left`,
    ...(progress.heldBackBy === null ? [] : [`held back by ${progress.heldBackBy}`]),
    ...(progress.cost.length === 0 ? [] : [progress.cost.map(formatMoney).join(" + ")]),
    `${rowsPerSecond(progress.rowsPerSecond)} rows/s`,
    `${compactNumber(progress.tokens.input + progress.tokens.output)} tokens`,
    ...(progress.throttled > 0 ? [`${progress.throttled} throttled`] : []),
    ...(progress.retried > 0 ? [`${progress.retried} retried`] : []),
  ];
  const bar = `${barOf(rows.total === 0 ? 1 : done / rows.total)} `;
  let line = bar + parts[0];
  for (const part of parts.slice(1)) {
    if (line.length + part.length + 3 <= width) line += `  ${part}`;
  }
  return line.slice(0, width);
}

function barOf(share: number): string {
  const filled = Math.min(BAR_WIDTH, Math.floor(share * BAR_WIDTH));
  return "█".repeat(filled) + "░".repeat(BAR_WIDTH - filled);
}

function rowsPerSecond(rate: number): string {
  return rate >= 100 ? rate.toFixed(0) : rate.toFixed(1);
}

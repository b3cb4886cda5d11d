/**
 * promptmill as a library: what the command line does, as functions. The command line uses these and
 * nothing behind them.
 */
export { ExitCode, HaltError, PromptmillError, UsageError } from "./errors.js";
export { defineJob } from "./job/index.js";
export type { JobDefinition, ResolvedJob } from "./job/index.js";
export type { Log } from "./log.js";
export type { RunSummary } from "./run/carry-out.js";
export { exportRun } from "./run/export.js";
export type { ExportOptions } from "./run/export.js";
export type { Progress } from "./run/progress.js";
export { resume, retry, run } from "./run/run.js";
export type { ResumeOptions, RetryOptions, RunOptions } from "./run/run.js";
export type { RunRecord, RunState } from "./run/record.js";
export type { SessionOptions } from "./run/session.js";
export { runStatus, runStatuses } from "./run/status.js";
export type { RunStatus } from "./run/status.js";
export { startSimulator } from "./simulator/index.js";
export type { Simulator, SimulatorOptions } from "./simulator/index.js";
export type {
  Answer,
  Message,
  ModelRequest,
  Money,
  Output,
  Parameters,
  Result,
  RowError,
  RowErrorKind,
  Usage,
} from "./types.js";
export type { UsageReport } from "./usage/index.js";

import type { Command } from "commander";
import { registerEstimate } from "./estimate.js";
import { registerExport } from "./export.js";
import { registerInit } from "./init.js";
import { registerPresets } from "./presets.js";
import { registerPrices } from "./prices.js";
import { registerReport } from "./report.js";
import { registerResume } from "./resume.js";
import { registerRetry } from "./retry.js";
import { registerRun } from "./run.js";
import { registerSimulator } from "./simulator.js";
import { registerStatus } from "./status.js";
import { registerValidate } from "./validate.js";
import { registerWorker } from "./worker.js";

/** Adds every verb. What a verb needs is loaded when it is called, so that starting stays fast. */
export function registerCommands(program: Command): void {
  for (const register of [
    registerRun,
    registerWorker,
    registerResume,
    registerRetry,
    registerExport,
    registerStatus,
    registerReport,
    registerEstimate,
    registerPrices,
    registerInit,
    registerValidate,
    registerPresets,
    registerSimulator,
  ]) {
    register(program);
  }
}

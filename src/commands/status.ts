import { resolve } from "node:path";
import type { Command } from "commander";
import type { RunStatus } from "../run/status.js";
import { asTyped } from "./typed.js";

interface StatusFlags {
  readonly out?: string;
  readonly json?: boolean;
}

export function registerStatus(program: Command): void {
  program
    .command("status [run]")
    .description("list runs and how far they are, or show one")
    .option("--out <folder>", "folder of run directories (default: runs)")
    .option("--json", "as JSON")
    .action(async (run: string | undefined, flags: StatusFlags) => {
      const { runStatus, runStatuses } = await import("../run/status.js");
      const root = resolve(flags.out ?? "runs");
      const statuses =
        run === undefined
          ? await runStatuses(root, (path, error) =>
              process.stderr.write(`warning: ${path}: ${error.message}\n`),
            )
          : [await runStatus(root, run)];
      if (flags.json) {
        process.stdout.write(`${JSON.stringify(run === undefined ? statuses : statuses[0], null, 2)}\n`);
      } else if (statuses.length === 0) {
        process.stdout.write(`No runs below ${root}.\n`);
      } else {
        process.stdout.write(asTyped(statusTable(statuses)));
      }
    });
}

function statusTable(statuses: readonly RunStatus[]): string {
  const idWidth = Math.max(3, ...statuses.map(({ runId }) => runId.length));
  const lines = [`${"run".padEnd(idWidth)}  state        done       failed`];
  for (const { runId, state, rows, simulated, halt } of statuses) {
    const share =
      rows.total === 0 ? "" : `${Math.floor((100 * (rows.succeeded + rows.failed)) / rows.total)}%`;
    const done = `${rows.succeeded + rows.failed}/${rows.total} ${share}`;
    const line = `${runId.padEnd(idWidth)}  ${state.padEnd(11)}  ${done.padEnd(14)} ${rows.failed}`;
    lines.push(simulated ? `${line}  (simulated)` : line);
    if (halt !== null) lines.push(`${" ".repeat(idWidth)}  ${halt.message}`);
  }
  const open = statuses.find(({ state }) => state !== "finished" && state !== "running");
  if (open !== undefined) lines.push("", `Go on with one:  promptmill resume ${open.runId}`);
  return `${lines.join("\n")}\n`;
}

import { pino } from "pino";
import type { Log } from "../log.js";

const LEVELS = { debug: "debug: ", info: "", warn: "warning: ", error: "error: " } as const;

/** A log on stderr: sentences on a terminal, one JSON object per line elsewhere. */
export function openLog(options: { quiet: boolean; beforeWrite: () => void }): Log {
  const level = options.quiet ? "warn" : (process.env["PROMPTMILL_LOG"] ?? "info");
  if (!process.stderr.isTTY) return pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  const order = ["debug", "info", "warn", "error"];
  const write = (name: keyof typeof LEVELS) => (fields: object, message: string) => {
    if (order.indexOf(name) < order.indexOf(level)) return;
    options.beforeWrite();
    const details = Object.entries(fields)
      .map(([key, value]) => `${key}: ${String(value)}`)
      .join(", ");
    process.stderr.write(`${LEVELS[name]}${message}${details === "" ? "" : ` (${details})`}\n`);
  };
  return { debug: write("debug"), info: write("info"), warn: write("warn"), error: write("error") };
}

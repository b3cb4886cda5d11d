/**
 * One promptmill run, whole: input read and checked, rows queued, called, journaled, result files written.
 *
 *     node .bench/promptmill-run.js <folder with input.csv> <baseUrl> <rows> <concurrency> <queue url|embedded> [--no-worker] [--cold]
 */
import { join } from "node:path";
import { run } from "promptmill";
import { measure, WARM_UP_ROWS } from "./measure.js";

const [folder = "", baseUrl = "", rowsText = "", concurrencyText = "", queue = "embedded", ...flags] =
  process.argv.slice(2);
const rows = Number(rowsText);
const concurrency = Number(concurrencyText);

async function runRows(limit: number, input: string): Promise<void> {
  const summary = await run({
    cwd: folder,
    ...(queue === "embedded" ? {} : { queue }),
    env: { ...process.env, OPENAI_BASE_URL: baseUrl },
    worker: !flags.includes("--no-worker"),
    limit,
    job: {
      name: "bench",
      model: "qwen-plus",
      provider: "openai-compatible",
      parameters: { temperature: 0.3 },
      input: { path: join(folder, input), id: "id" },
      prompt: { system: "You summarize documents.", user: "Summarize: {{ text }}" },
      output: { format: "csv", column: "summary" },
      concurrency,
    },
  });
  if (summary.rows.succeeded !== limit)
    throw new Error(`${summary.rows.succeeded} of ${limit} rows succeeded`);
}

await measure(
  rows,
  baseUrl,
  () => runRows(rows, "input.csv"),
  flags.includes("--cold") ? undefined : () => runRows(WARM_UP_ROWS, "warm-up.csv"),
);
process.exit(0);

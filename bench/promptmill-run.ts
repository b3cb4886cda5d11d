/**
 * One promptmill run, whole: input read and checked, rows queued, called, journaled, result files written.
 *
 *     node bench/promptmill-run.ts <folder with input.csv> <baseUrl> <rows> <concurrency> <queue url|embedded> [--no-worker]
 */
import { join } from "node:path";
import { run } from "../dist/index.js";
import { measure } from "./measure.js";

const [folder = "", baseUrl = "", rowsText = "", concurrencyText = "", queue = "embedded", mode] =
  process.argv.slice(2);
const rows = Number(rowsText);

await measure(rows, async () => {
  const summary = await run({
    cwd: folder,
    ...(queue === "embedded" ? {} : { queue }),
    env: { ...process.env, OPENAI_BASE_URL: baseUrl },
    worker: mode !== "--no-worker",
    job: {
      name: "bench",
      model: "qwen-plus",
      provider: "openai-compatible",
      parameters: { temperature: 0.3 },
      input: { path: join(folder, "input.csv"), id: "id" },
      prompt: { system: "You summarize documents.", user: "Summarize: {{ text }}" },
      output: { format: "csv", column: "summary" },
      concurrency: Number(concurrencyText),
    },
    limit: rows,
  });
  if (summary.rows.succeeded !== rows) throw new Error(`${summary.rows.succeeded} of ${rows} rows succeeded`);
});
process.exit(0);

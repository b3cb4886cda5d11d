/**
 * How a run grows: rows/s, memory of the process and of Redis, time to make the results, and how soon a
 * resume with 90 % settled makes its first call; then a report over 1,000 runs.
 *
 *     npm run bench:scale                  10,000, 100,000 and 1,000,000 rows (about 20 minutes)
 *     npm run bench:scale -- 10000 100000
 */
import { spawn } from "node:child_process";
import { createWriteStream, mkdirSync, readFileSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { once } from "node:events";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { Stand } from "./stand.js";

const sizes = process.argv
  .slice(2)
  .filter((word) => /^\d+$/.test(word))
  .map(Number);
const bin = fileURLToPath(new URL("../bin/promptmill.js", import.meta.url));
const stand = new Stand();

interface Ended {
  readonly seconds: number;
  readonly peakMb: number;
  readonly stdout: string;
}

try {
  const redisUrl = await stand.redis();
  const baseUrl = await stand.modelServer(0);
  const redis = new Redis(redisUrl);
  const lines = [
    "| rows | rows/s | peak MB | Redis peak MB | export s | resume at 90 %: first call after s |",
    "|---|---|---|---|---|---|",
  ];
  for (const rows of sizes.length > 0 ? sizes : [10_000, 100_000, 1_000_000]) {
    await writeInput(rows);
    writeJob();
    await redis.config("RESETSTAT");
    const runId = `scale-${rows}`;
    const run = await promptmill(
      ["run", "job.yaml", "--run-id", runId, "--queue", redisUrl, "--quiet"],
      baseUrl,
    );
    const peak = Number(/used_memory_peak:(\d+)/.exec(await redis.info("memory"))?.[1]) / 1e6;
    const exported = await promptmill(["export", runId], baseUrl);
    const firstCall = await resumeAtNinety(runId, rows, redisUrl);
    lines.push(
      `| ${rows.toLocaleString("en")} | ${(rows / run.seconds).toFixed(0)} | ${run.peakMb.toFixed(0)} | ${peak.toFixed(0)} | ${exported.seconds.toFixed(1)} | ${firstCall.toFixed(1)} |`,
    );
    process.stderr.write(`${lines.at(-1)}\n`);
  }
  redis.disconnect();
  process.stdout.write(`${lines.join("\n")}\n\n`);
  copyRuns(1_000);
  const report = await promptmill(["report", "--by", "job,day"], baseUrl);
  process.stdout.write(
    `report over 1,000 runs: ${report.seconds.toFixed(1)} s, ${report.peakMb.toFixed(0)} MB\n`,
  );
} finally {
  await stand.close();
}

async function writeInput(rows: number): Promise<void> {
  const file = createWriteStream(join(stand.folder, "input.csv"));
  file.write("id,text\n");
  for (let row = 0; row < rows; row++) {
    if (!file.write(`r${row},${row} ${"A document of about two hundred characters. ".repeat(5)}\n`))
      await once(file, "drain");
  }
  file.end();
  await once(file, "finish");
}

function writeJob(): void {
  writeFileSync(
    join(stand.folder, "job.yaml"),
    "name: scale\nmodel: qwen-plus\nprovider: openai-compatible\ninput: { path: input.csv, id: id }\n" +
      'prompt: { user: "Summarize: {{ text }}" }\noutput: { column: summary }\nconcurrency: 200\n',
  );
}

async function promptmill(args: readonly string[], baseUrl: string): Promise<Ended> {
  const startedAt = performance.now();
  const reporter = `process.on("exit",()=>process.stderr.write("\\nPEAK "+process.resourceUsage().maxRSS+"\\n"))`;
  const child = spawn(
    process.execPath,
    ["--import", `data:text/javascript,${encodeURIComponent(reporter)}`, bin, ...args],
    {
      cwd: stand.folder,
      env: { ...process.env, OPENAI_BASE_URL: baseUrl },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
  const [code] = (await once(child, "exit")) as [number | null];
  if (code !== 0) throw new Error(`promptmill ${args.join(" ")} exited with ${code}: ${stderr.slice(-500)}`);
  return {
    seconds: (performance.now() - startedAt) / 1000,
    peakMb: Number(/PEAK (\d+)/.exec(stderr)?.[1]) / 1024,
    stdout,
  };
}

/** Cuts the journal to nine tenths of its lines and resumes; the first call is seen by a server of its own. */
async function resumeAtNinety(runId: string, rows: number, redisUrl: string): Promise<number> {
  const folder = join(stand.folder, "runs", runId);
  const journal = join(folder, "journal.jsonl");
  truncateSync(journal, await endOfLine(journal, Math.floor(rows * 0.9)));
  const record = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as Record<string, unknown>;
  writeFileSync(join(folder, "run.json"), JSON.stringify({ ...record, state: "interrupted" }));
  const { createServer } = await import("node:http");
  let firstCallAt = 0;
  const server = createServer((request, response) => {
    firstCallAt ||= performance.now();
    request.resume();
    request.on("end", () =>
      response.end(
        JSON.stringify({
          choices: [{ finish_reason: "stop", message: { role: "assistant", content: "ok" } }],
          usage: { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 },
        }),
      ),
    );
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as { port: number };
  const startedAt = performance.now();
  await promptmill(["resume", runId, "--queue", redisUrl, "--quiet"], `http://127.0.0.1:${port}/v1`);
  server.close();
  return (firstCallAt - startedAt) / 1000;
}

async function endOfLine(path: string, lines: number): Promise<number> {
  const { createReadStream } = await import("node:fs");
  let position = 0;
  let seen = 0;
  for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
    for (let at = chunk.indexOf(10); at !== -1; at = chunk.indexOf(10, at + 1)) {
      if (++seen === lines) return position + at + 1;
    }
    position += chunk.length;
  }
  return statSync(path).size;
}

/** Many runs, for the report: copies of the smallest one's usage under other ids and days. */
function copyRuns(count: number): void {
  const root = join(stand.folder, "runs");
  const smallest = join(root, `scale-${Math.min(...(sizes.length > 0 ? sizes : [10_000]))}`);
  const record = readFileSync(join(smallest, "run.json"), "utf8");
  const usage = JSON.parse(readFileSync(join(smallest, "usage.json"), "utf8")) as Record<string, unknown>;
  for (let copy = 0; copy < count; copy++) {
    const folder = join(root, `copy-${copy}`);
    mkdirSync(folder);
    writeFileSync(join(folder, "run.json"), record);
    writeFileSync(join(folder, "usage.json"), JSON.stringify({ ...usage, runId: `copy-${copy}` }));
  }
}

import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Redis } from "ioredis";
import { promptOf, WARM_UP_ROWS, type Measurement } from "./measure.js";

const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url));

/** Clients run on the first core, servers on the second, where the system can pin processes. */
const canPin = cpus().length > 1 && hasCommand("taskset");
const CLIENT_CORE = "0";
const SERVER_CORE = "1";

export function hasCommand(name: string): boolean {
  try {
    execFileSync("sh", ["-c", `command -v ${name}`], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}

function command(core: string | null, program: string, args: readonly string[]): [string, string[]] {
  return canPin && core !== null ? ["taskset", ["-c", core, program, ...args]] : [program, [...args]];
}

/** Everything a benchmark starts; `close` ends it and removes its files. */
export class Stand {
  readonly folder = mkdtempSync(join(tmpdir(), "promptmill-bench-"));
  readonly #children: ChildProcess[] = [];

  /** A model server that answers after `delayMs`; returns its base URL. */
  async modelServer(delayMs: number): Promise<string> {
    const child = this.#spawn(SERVER_CORE, process.execPath, [
      "--import",
      "tsx",
      here("./fast-server.ts"),
      String(delayMs),
    ]);
    const [line] = (await once(child.stdout as NodeJS.ReadableStream, "data")) as [Buffer];
    return line.toString().trim();
  }

  /** A Redis with an append-only file, as production has it; returns its URL. */
  async redis(): Promise<string> {
    const port = await freePort();
    const server = this.#spawn(SERVER_CORE, "redis-server", [
      ...["--port", String(port), "--bind", "127.0.0.1", "--dir", this.folder],
      ...[
        "--save",
        "",
        "--appendonly",
        "yes",
        "--appendfsync",
        "everysec",
        "--maxmemory-policy",
        "noeviction",
      ],
    ]);
    server.stdout?.resume(); // a pipe that nobody reads stops a Redis that logs many rewrites of its file
    const url = `redis://127.0.0.1:${port}`;
    const probe = new Redis(url, { maxRetriesPerRequest: null, retryStrategy: () => 100 });
    probe.on("error", () => {});
    await probe.ping();
    probe.disconnect();
    return url;
  }

  /** An input of so many rows of about 1 KB, and one for warming up. */
  input(rows: number): void {
    for (const [name, count] of [
      ["input.csv", rows],
      ["warm-up.csv", WARM_UP_ROWS],
    ] as const) {
      const lines = ["id,text"];
      for (let row = 0; row < count; row++) lines.push(`r${row},${promptOf(row)}`);
      writeFileSync(join(this.folder, name), `${lines.join("\n")}\n`);
    }
  }

  worker(queue: string, baseUrl: string, concurrency: number): ChildProcess {
    const [program, args] = command(null, process.execPath, [
      here("../bin/promptmill.js"),
      ...["worker", "--queue", queue, "--concurrency", String(concurrency)],
    ]);
    const child = spawn(program, args, {
      cwd: this.folder,
      env: { ...process.env, OPENAI_BASE_URL: baseUrl },
      stdio: "ignore",
    });
    this.#children.push(child);
    return child;
  }

  /**
   * Runs a contestant to its end and reads its measurement. `flags` are Node's. Contestants are compiled: what tsx
   * takes to load code would fall into the time of a run, which loads some of its own late.
   */
  async contestant(
    script: string,
    args: readonly (string | number)[],
    flags: readonly string[] = [],
  ): Promise<Measurement> {
    const child = this.#spawn(CLIENT_CORE, process.execPath, [
      ...flags,
      here(`../.bench/${script}`),
      ...args.map(String),
    ]);
    let output = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      output += chunk.toString();
    });
    const [code] = (await once(child, "exit")) as [number | null];
    if (code !== 0) throw new Error(`${script} ${args.join(" ")} exited with ${code}`);
    return JSON.parse(output.trim().split("\n").at(-1) ?? "") as Measurement;
  }

  async close(): Promise<void> {
    for (const child of this.#children) child.kill("SIGKILL");
    await Promise.all(
      this.#children
        .filter((child) => (child.exitCode ?? child.signalCode) === null)
        .map((child) => once(child, "exit")),
    );
    rmSync(this.folder, { recursive: true, force: true });
  }

  #spawn(core: string | null, program: string, args: readonly string[]): ChildProcess {
    const child = spawn(...command(core, program, args), {
      cwd: fileURLToPath(new URL("..", import.meta.url)),
      stdio: ["ignore", "pipe", "inherit"],
    });
    this.#children.push(child);
    return child;
  }
}

async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, "close");
  return port;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

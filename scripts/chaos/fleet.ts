import { spawn, type ChildProcess } from "node:child_process";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startSimulator, type Simulator, type SimulatorOptions } from "../../src/simulator/index.js";
import { startRedis, type RedisServer } from "../../test/support/redis-server.js";

const program = fileURLToPath(new URL("../../bin/promptmill.js", import.meta.url));

const VERBS = ["run", "resume", "retry", "worker"];

export interface FleetOptions {
  /** Empty and absolute; holds the job, the input and the runs. */
  readonly folder: string;
  readonly rows: number;
  /** Calls at once over all workers. */
  readonly concurrency: number;
  readonly simulator?: SimulatorOptions;
  /** false: the embedded queue. @default true */
  readonly redis?: boolean;
  /** Command line words for redis-server. @default an append-only file, synced every second */
  readonly redisSettings?: readonly string[];
  /** Further lines of the job file. */
  readonly job?: string;
}

export const APPEND_ONLY = ["--appendonly", "yes", "--appendfsync", "everysec"] as const;

/** A process of the program, and what it said. */
export interface Running {
  readonly process: ChildProcess;
  readonly name: string;
  readonly ended: Promise<{ code: number | null; signal: NodeJS.Signals | null }>;
  isAlive(): boolean;
  stdout(): string;
  stderr(): string;
}

/**
 * A model server, a Redis and processes of the built program, all real, to be killed at will. The model
 * server lives in this process, so that its counts survive everything else.
 */
export class Fleet {
  readonly runId = "chaos";
  readonly inputPath: string;
  readonly runDirectory: string;
  readonly options: FleetOptions;
  readonly simulator: Simulator;
  readonly processes = new Set<Running>();
  readonly ids: readonly string[];
  #redis: RedisServer | null;

  private constructor(options: FleetOptions, simulator: Simulator, redis: RedisServer | null) {
    this.options = options;
    this.simulator = simulator;
    this.#redis = redis;
    this.inputPath = join(options.folder, "input.csv");
    this.runDirectory = join(options.folder, "runs", this.runId);
    this.ids = Array.from({ length: options.rows }, (_, row) => `id-${row}`);
  }

  static async start(options: FleetOptions): Promise<Fleet> {
    const simulator = await startSimulator({ latency: { kind: "fixed", ms: 100 }, ...options.simulator });
    const redis = options.redis === false ? null : await startRedis(options.redisSettings ?? APPEND_ONLY);
    const fleet = new Fleet(options, simulator, redis);
    await mkdir(options.folder, { recursive: true });
    await writeJob(options.folder, fleet.ids, options);
    return fleet;
  }

  get redis(): RedisServer {
    if (this.#redis === null) throw new Error("This fleet has no Redis.");
    return this.#redis;
  }

  async writeInput(lines: readonly string[]): Promise<void> {
    await writeInput(this.options.folder, lines);
  }

  /** Starts the program with `--queue` and `--out` where they belong. */
  start(
    args: readonly string[],
    extra: { queue?: string; env?: Record<string, string>; nodeArgs?: string[]; cwd?: string } = {},
  ): Running {
    const verb = args.find((arg) => VERBS.includes(arg)) ?? "";
    const queue = extra.queue ?? this.#redis?.url;
    const takesQueue = queue !== undefined && VERBS.includes(verb) && !args.includes("--queue");
    const all = [
      ...args,
      ...(takesQueue ? ["--queue", queue] : []),
      ...(verb === "worker" || args.includes("--out") ? [] : ["--out", "runs"]),
    ];
    return this.track(
      verb,
      spawn(process.execPath, [...(extra.nodeArgs ?? []), program, ...all], {
        cwd: extra.cwd ?? this.options.folder,
        env: { ...this.environment(), ...extra.env },
        stdio: ["ignore", "pipe", "pipe"],
      }),
    );
  }

  environment(): Record<string, string> {
    return {
      PATH: process.env["PATH"] ?? "",
      HOME: this.options.folder,
      PROMPTMILL_SIMULATOR_URL: this.simulator.url,
    };
  }

  run(args: readonly string[] = []): Running {
    return this.start(["run", "job.yaml", "--run-id", this.runId, ...args]);
  }

  resume(args: readonly string[] = []): Running {
    return this.start(["resume", this.runId, ...args]);
  }

  worker(concurrency: number, args: readonly string[] = []): Running {
    return this.start(["worker", "--concurrency", String(concurrency), ...args]);
  }

  track(name: string, child: ChildProcess): Running {
    let stdout = "";
    let stderr = "";
    child.stdout?.on("data", (chunk: Buffer) => void (stdout += chunk.toString()));
    child.stderr?.on("data", (chunk: Buffer) => void (stderr += chunk.toString()));
    const running: Running = {
      process: child,
      name,
      isAlive: () => child.exitCode === null && child.signalCode === null,
      stdout: () => stdout,
      stderr: () => stderr,
      ended: new Promise((resolve) => {
        child.once("close", (code, signal) => {
          this.processes.delete(running);
          resolve({ code, signal });
        });
      }),
    };
    this.processes.add(running);
    return running;
  }

  /** Kills Redis as a power cut would, and starts it again on what its folder holds once `whileDown` has been there. */
  async restartRedis(downMs = 0, whileDown: (folder: string) => unknown = () => {}): Promise<void> {
    const { port, folder } = this.redis;
    await killRedis(this.redis);
    await whileDown(folder);
    await new Promise((resolve) => setTimeout(resolve, downMs));
    this.#redis = await startRedis(this.options.redisSettings ?? APPEND_ONLY, { port, folder });
  }

  async close(): Promise<void> {
    const left = [...this.processes];
    for (const { process: child } of left) child.kill("SIGKILL");
    await Promise.all(left.map(({ ended }) => ended));
    await this.#redis?.stop();
    await this.simulator.close();
  }
}

/** A job and its input, as a user has them in a folder. */
export async function writeJob(
  folder: string,
  ids: readonly string[],
  { concurrency, job = "" }: Pick<FleetOptions, "concurrency" | "job">,
): Promise<void> {
  await writeInput(
    folder,
    ids.map((id) => `${id},${textOf(id)}`),
  );
  await writeFile(
    join(folder, "job.yaml"),
    `name: chaos
model: qwen-plus
provider: simulator
input: { path: input.csv, id: id }
prompt:
  user: "{{ id }} says: {{ text }}"
concurrency: ${concurrency}
${/^attempts:/m.test(job) ? "" : "attempts: 5"}
${/^timeout:/m.test(job) ? "" : "timeout: 60"}
${job}`,
  );
}

async function writeInput(folder: string, lines: readonly string[]): Promise<void> {
  await writeFile(join(folder, "input.csv"), `id,text\n${lines.join("\n")}\n`);
}

async function killRedis(redis: RedisServer): Promise<void> {
  const gone = new Promise((resolve) => redis.process.once("exit", resolve));
  redis.process.kill("SIGKILL");
  await gone;
}

/** What the model is asked about a row, apart from its id. */
export function textOf(id: string): string {
  return `the text of ${id}`;
}

import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer, connect, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A Redis of the tests' own. Nothing is kept on disk unless `settings` say so. */
export interface RedisServer {
  readonly url: string;
  readonly port: number;
  readonly process: ChildProcess;
  /** Its working folder, for an append-only file say. */
  readonly folder: string;
  stop(): Promise<void>;
}

/** Starts a server on a free port and resolves when it answers. `settings` are further command line words. */
export async function startRedis(
  settings: readonly string[] = [],
  fixed?: { port: number; folder: string },
): Promise<RedisServer> {
  const port = fixed?.port ?? (await freePort());
  const folder = fixed?.folder ?? (await mkdtemp(join(tmpdir(), "promptmill-redis-")));
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--dir", folder, "--save", ""];
  const server = spawn(serverCommand(), [...args, "--maxmemory-policy", "noeviction", ...settings], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  const keep = (chunk: Buffer): void => void (output = (output + chunk.toString()).slice(-10_000));
  server.stdout.on("data", keep);
  server.stderr.on("data", keep);
  const ended = new Promise<void>((resolve) => server.once("exit", () => resolve()));
  await untilItAnswers(port, server, () => output);
  return {
    url: `redis://127.0.0.1:${port}`,
    port,
    process: server,
    folder,
    stop: async () => {
      server.kill("SIGKILL");
      await ended;
      if (fixed === undefined) await rm(folder, { recursive: true, force: true });
    },
  };
}

function serverCommand(): string {
  const found = ["redis-server", "valkey-server"].find(
    (command) => spawnSync(command, ["--version"], { stdio: "ignore" }).status === 0,
  );
  if (found === undefined) throw new Error("No redis-server on the path: `npm test` says how to install it.");
  return found;
}

/** A port that nobody listens on at this moment. */
export async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve) => probe.listen(0, "127.0.0.1", resolve));
  const { port } = probe.address() as AddressInfo;
  await new Promise<void>((resolve) => probe.close(() => resolve()));
  return port;
}

async function untilItAnswers(port: number, server: ChildProcess, output: () => string): Promise<void> {
  const giveUpAt = performance.now() + 10_000;
  while (!(await answersPing(port))) {
    if (server.exitCode !== null || performance.now() > giveUpAt) {
      server.kill("SIGKILL");
      throw new Error(`redis-server did not start on port ${port}:\n${output()}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function answersPing(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1", () => socket.write("PING\r\n"));
    const end = (answered: boolean): void => {
      socket.destroy();
      resolve(answered);
    };
    socket.once("data", (data) => end(/^(\+PONG|-NOAUTH)/.test(data.toString())));
    socket.once("error", () => end(false));
    socket.setTimeout(1_000, () => end(false));
  });
}

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { TestProject } from "vitest/node";
import { startRedis } from "./redis-server.js";

declare module "vitest" {
  interface ProvidedContext {
    /** Of the test run's Redis; see redis-url.ts. */
    redisUrl: string;
  }
}

/** Before any test: the program is built as users run it, and one Redis is there for all files. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const build = fileURLToPath(new URL("../../scripts/build.mjs", import.meta.url));
  execFileSync(process.execPath, [build], { stdio: "inherit" });
  const redis = await startRedis();
  project.provide("redisUrl", redis.url);
  return () => redis.stop();
}

// `npm run test:bullmq`: the queue's tests with the oldest and the newest BullMQ that package.json allows. Another range
// may be given: npm run test:bullmq -- ^6.0.0
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runToEnd } from "./run-to-end.mjs";
import { root } from "./setup.mjs";

const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const range = process.argv[2] ?? dependencies.bullmq;
const oldest = range.replace(/^\D*/, "");
const folder = mkdtempSync(join(tmpdir(), "promptmill-bullmq-"));
try {
  const tried = new Set();
  for (const version of [oldest, range]) {
    const { main, installed } = install(version);
    if (tried.has(installed)) continue;
    tried.add(installed);
    process.stdout.write(`\nBullMQ ${installed}\n`);
    const vitest = join(root, "node_modules", "vitest", "vitest.mjs");
    const env = { ...process.env, PROMPTMILL_BULLMQ: main };
    const exitCode = await runToEnd([vitest, "run", "test/queue/lease-queue.test.ts"], { cwd: root, env });
    if (exitCode !== 0) process.exitCode = exitCode;
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Installs one release beside the project's own, and tells the file that `import "bullmq"` loads. */
function install(version) {
  const prefix = mkdtempSync(join(folder, "release-"));
  const packages = [`bullmq@${version}`, `ioredis@${dependencies.ioredis}`]; // early releases load ioredis themselves
  const options = ["--prefix", prefix, "--no-audit", "--no-fund", "--silent"];
  execFileSync("npm", ["install", ...options, ...packages], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  const require = createRequire(join(prefix, "package.json"));
  return { main: require.resolve("bullmq"), installed: require("bullmq/package.json").version };
}

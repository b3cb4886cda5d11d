import { availableParallelism } from "node:os";
import { defineConfig } from "vitest/config";

/** Another release of BullMQ in place of the installed one; see scripts/try-bullmq.mjs. */
const bullmq = process.env.PROMPTMILL_BULLMQ;

export default defineConfig({
  resolve: { alias: bullmq === undefined ? {} : { bullmq } },
  test: {
    include: ["test/**/*.test.ts"],
    globalSetup: ["test/support/global-setup.ts"],
    setupFiles: ["test/support/setup-file.ts"],
    // Only ends a test that is stuck: a busy machine takes its time.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    // Much of a test file is waiting for other processes: more files than cores at once end sooner.
    maxWorkers: Math.max(3, availableParallelism()),
  },
});

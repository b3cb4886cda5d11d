import { inject } from "vitest";

/**
 * The Redis that the test run started. All files share it, so a run id must be the test's own (`freshId`);
 * tests that stop, freeze or fill a server start one with `startRedis`.
 */
export function redisUrl(): string {
  return inject("redisUrl");
}

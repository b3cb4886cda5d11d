import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { moneyFindings, usageOf } from "../../scripts/chaos/findings.js";
import type { Fleet, Running } from "../../scripts/chaos/fleet.js";
import {
  answers,
  callsUnderWay,
  endsWell,
  expectAllKnown,
  expectNothingLost,
  fleetOf,
  kill,
  redisOf,
  reportOf,
  stopWorkers,
} from "./fleet.js";

const QUEUES = [
  ["Redis", true],
  ["the embedded queue", false],
] as const;
const slow = { latency: { kind: "fixed", ms: 300 } } as const;

/** What usage.json says is what the model saw, call by call, and the report says the same. */
async function expectUsageIsWhole(fleet: Fleet): Promise<void> {
  const usage = await usageOf(fleet);
  expect(moneyFindings(fleet, usage)).toMatchObject({ unlisted: [], usageErrors: [] });
  expect((await expectAllKnown(fleet)).attempts).toEqual(usage.attempts);
}

async function stop(running: Running, ...signals: NodeJS.Signals[]): Promise<number | null> {
  for (const signal of signals) {
    running.process.kill(signal);
    await new Promise((resolve) => setTimeout(resolve, 100)); // as a user types; two at once may be seen as one
  }
  return (await running.ended).code;
}

describe.each(QUEUES)("a run that was stopped on %s", (_queue, redis) => {
  it(
    "by SIGTERM has counted all that was billed, and nothing else is possible",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 300, concurrency: 10, redis, simulator: slow });
      const worker = redis ? fleet.worker(5) : null;
      const running = fleet.run();
      await answers(fleet, 20);
      expect(await stop(running, "SIGTERM")).toBe(130);
      await expectUsageIsWhole(fleet);
      const { answered, total } = fleet.simulator.calls();
      expect(answered).toBe(total);
      expect((await usageOf(fleet)).attempts).toEqual({ billed: total, possiblyBilled: 0, unknownUsage: 0 });
      if (worker !== null) await stopWorkers(worker);
    },
  );

  it("at once, by a second Ctrl-C, lists the calls that it cut off", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({
      rows: 60,
      concurrency: 10,
      redis,
      simulator: { latency: { kind: "fixed", ms: 30_000 } },
    });
    const running = fleet.run();
    await callsUnderWay(fleet, 10);
    expect(await stop(running, "SIGINT", "SIGINT")).toBe(130);
    const { attempts } = await expectAllKnown(fleet);
    expect(attempts).toEqual({ billed: 0, possiblyBilled: 10, unknownUsage: 0 });
  });

  it(
    "by SIGKILL has counted what had ended, and lists what was under way",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({ rows: 300, concurrency: 10, redis, simulator: slow });
      const running = fleet.run();
      await answers(fleet, 20);
      await kill(running);
      const { attempts } = await expectAllKnown(fleet);
      const { total } = fleet.simulator.calls();
      expect(attempts.billed + attempts.possiblyBilled).toBeLessThanOrEqual(total + 10);
      if (redis) await (await redisOf(fleet)).flushall();
      expect((await reportOf(fleet)).attempts).toEqual(attempts);
      await endsWell(fleet.resume());
      await expectNothingLost(fleet, { inFlight: 10, unsent: 10 });
    },
  );

  it("by its budget has counted all that was billed", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({
      rows: 60,
      concurrency: 10,
      redis,
      simulator: slow,
      job: "parameters: { maxTokens: 50 }\nlimits: { budget: 0.005 }",
    });
    await writeFile(
      join(fleet.options.folder, "promptmill.config.yaml"),
      "prices:\n  - { model: qwen-plus, provider: simulator, currency: USD, input: 2, output: 20 }\n",
    );
    const running = fleet.run();
    expect((await running.ended).code, running.stderr()).toBe(4);
    expect(running.stdout()).toContain("The budget of 0.005 USD is spent");
    await expectUsageIsWhole(fleet);
    expect((await usageOf(fleet)).attempts.billed).toBe(fleet.simulator.calls().total);
  });
});

describe("a run whose workers were killed, and that was stopped then", () => {
  it("lists their calls, also when Redis has lost its data since", { timeout: 120_000 }, async () => {
    const fleet = await fleetOf({ rows: 300, concurrency: 12, simulator: slow });
    const workers = [fleet.worker(6), fleet.worker(6)];
    const coordinator = fleet.run(["--no-worker"]);
    await answers(fleet, 30);
    await Promise.all(workers.map(kill));
    expect(await stop(coordinator, "SIGTERM")).toBe(130);
    await expectUsageIsWhole(fleet);
    const { attempts } = await usageOf(fleet);
    expect(attempts.possiblyBilled).toBeLessThanOrEqual(12);
    await (await redisOf(fleet)).flushall();
    expect((await reportOf(fleet)).attempts).toEqual(attempts);
    await endsWell(fleet.resume());
    await expectNothingLost(fleet, { inFlight: 12, unsent: 12 });
  });
});

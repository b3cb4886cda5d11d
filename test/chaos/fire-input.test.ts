import { describe, expect, it } from "vitest";
import type { Fleet } from "../../scripts/chaos/fleet.js";
import { textOf } from "../../scripts/chaos/fleet.js";
import { answers, endsWell, expectNothingLost, fleetOf, kill } from "./fleet.js";

async function halfDone(fleet: Fleet): Promise<number> {
  const running = fleet.run();
  await answers(fleet, 100);
  await kill(running);
  return fleet.simulator.calls().answered;
}

describe.each([
  ["Redis", true],
  ["the embedded queue", false],
])("an input that changed while its run was stopped, on %s", (_queue, redis) => {
  it(
    "is refused, with what changed, and taken on demand with calls for changed rows only",
    { timeout: 120_000 },
    async () => {
      const fleet = await fleetOf({
        rows: 200,
        concurrency: 10,
        redis,
        simulator: { latency: { kind: "fixed", ms: 50 } },
      });
      const answered = await halfDone(fleet);
      // The first row goes, the second changes, two new ones come first, and all others move.
      const ids = ["new-1", "new-2", ...fleet.ids.slice(1)];
      await fleet.writeInput(ids.map((id) => `${id},${id === "id-1" ? "another text" : textOf(id)}`));

      const refused = fleet.resume();
      expect((await refused.ended).code).toBe(2);
      expect(refused.stderr()).toMatch(/has changed since the run began: \d+ bytes then, \d+ bytes now/);
      expect(refused.stderr()).toContain("--accept-changed-input");
      expect(fleet.simulator.calls().answered).toBeLessThanOrEqual(answered + 10);

      await endsWell(fleet.resume(["--accept-changed-input"]));
      // id-1 is called again; what was in flight at the kill may be.
      const found = await expectNothingLost(fleet, { ids, inFlight: 1 + 10, unsent: 10 });
      expect(found.calls).toBeLessThanOrEqual(203 + 10);
      await endsWell(fleet.resume());
    },
  );
});

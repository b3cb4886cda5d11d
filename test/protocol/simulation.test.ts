import { describe, expect, it } from "vitest";
import { Simulation } from "./simulation/simulation.js";
import { tell } from "./simulation/story.js";

/** Many more: npm run simulate. */
const SCHEDULES = 2_000;

describe("the protocol under simulation", () => {
  it(`keeps its promises in ${SCHEDULES} schedules of a run on a disk, a server and a network that fail`, () => {
    for (let seed = 0; seed < SCHEDULES; seed++) {
      const sim = new Simulation({ seed }).run();
      if (sim.findings.broken.size > 0) expect.fail(tell({ seed }, `npm run simulate -- --seed ${seed}`));
    }
  });

  it("repeats a schedule by its seed, to the last step", () => {
    const [first, second] = [1, 2].map(() => tell({ seed: 7 }, ""));
    expect(first).toBe(second);
    expect(first).not.toBe(tell({ seed: 8 }, ""));
  });
});

import { startSimulator, type Simulator, type SimulatorOptions } from "../../src/simulator/index.js";
import { afterTest } from "./after-test.js";

/** A model server for one test, closed after it. */
export async function simulatedModel(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await startSimulator(options);
  afterTest(() => simulator.close());
  return simulator;
}

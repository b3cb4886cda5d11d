import { describe, expect, it } from "vitest";
import { flush, sleep, write, type Steps } from "../../src/protocol/effects.js";
import { Driver } from "../../src/worker/driver.js";

const LONG_MS = 100_000;

describe("the driver of the protocol's processes", () => {
  it("carries effects out in order, at once where nothing is to be waited for", () => {
    const done: string[] = [];
    const driver = new Driver(({ kind }) => {
      done.push(kind);
      return [];
    });
    function* steps(): Steps {
      yield* write([{ event: { event: "dead", worker: "w" } }]);
      yield* flush();
      done.push("end");
    }
    void driver.run(steps());
    expect(done).toEqual(["write", "flush", "end"]);
  });

  it("throws what an effect throws into the process, and rejects with what the process does not catch", async () => {
    const driver = new Driver(({ kind }) => (kind === "flush" ? Promise.reject(new Error("no disk")) : []));
    function* careful(): Steps<string> {
      try {
        yield* flush();
        return "flushed";
      } catch (error) {
        return (error as Error).message;
      }
    }
    expect(await driver.run(careful())).toBe("no disk");
    await expect(driver.run(flush())).rejects.toThrow("no disk");
  });

  it("ends every sleep by one wake-up, once for all that happens in a turn of the event loop", async () => {
    const driver = new Driver(() => undefined);
    let turns = 0;
    function* steps(): Steps {
      yield* sleep(LONG_MS);
      turns++;
      yield* sleep(LONG_MS);
    }
    const running = [driver.run(steps()), driver.run(steps())];
    driver.wake();
    driver.wake();
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise((resolve) => setImmediate(resolve));
    expect(turns).toBe(2);
    driver.wake();
    await Promise.all(running);
  });

  it("keeps a wake-up that comes while a process is at work for its next sleep", async () => {
    let answer: () => void = () => {};
    const driver = new Driver(() => new Promise<void>((resolve) => (answer = resolve)));
    function* steps(): Steps {
      yield* flush();
      yield* sleep(LONG_MS);
    }
    const running = driver.run(steps());
    driver.wake();
    await new Promise((resolve) => setImmediate(resolve));
    answer();
    await running;
  });
});

import { describe, expect, it } from "vitest";
import { asTyped } from "../../src/commands/typed.js";

describe("asTyped", () => {
  const viaNpx = { npm_command: "exec" };

  it("names commands with npx when the program was called through npm", () => {
    expect(asTyped("Go on:  promptmill resume r-1", viaNpx)).toBe("Go on:  npx promptmill resume r-1");
  });

  it("leaves commands that have it already, file names and prose alone", () => {
    const text = "npx promptmill status, promptmill.config.yaml, a bug in promptmill, please report it";
    expect(asTyped(text, viaNpx)).toBe(text);
  });

  it("names commands plainly when the program is on the path", () => {
    expect(asTyped("promptmill status lists the runs.", {})).toBe("promptmill status lists the runs.");
  });
});

import { describe, expect, it } from "vitest";
import { resolveJob } from "../../src/job/index.js";
import { applySet, parseSet } from "../../src/job/set-values.js";
import { emptyConfig, promptJob } from "./fixtures.js";

describe("--set", () => {
  it.each([
    ["parameters.maxTokens=4000", 4000],
    ["x=0.5", 0.5],
    ["x=true", true],
    ["x=null", null],
    ["x=", null],
    ["x= qwen ", " qwen "],
    ['x="5"', "5"],
    ["x=[preset, model]", ["preset", "model"]],
    ["x={a: 1}", { a: 1 }],
    ["x={{ text }}", "{{ text }}"],
    ["x={% if a %}b{% endif %}", "{% if a %}b{% endif %}"],
    ["x=Translate: {{ text }} # now", "Translate: {{ text }} # now"],
    ["x=a=b", "a=b"],
    ["x=[broken", "[broken"],
    ["x=2026-01-01", "2026-01-01"],
  ])("%s is read as %j", (pair, value) => {
    expect(Object.values(parseSet([pair]))).toEqual([value]);
  });

  it.each(["model", "=x", "a..b=1", "__proto__.x=1", "a.constructor.b=1"])("refuses %s", (pair) => {
    expect(() => parseSet([pair])).toThrow(/^--set /);
  });

  it("does not repeat a value in its message", () => {
    expect(() => parseSet(["a..b=sk-secret"])).not.toThrow("sk-secret");
  });

  it("puts values at their paths and leaves the definition as it was", () => {
    const definition = { a: { b: 1, c: 2 }, list: ["x", "y"] };
    expect(applySet(definition, { "a.b": 5, "d.e": 6, "list.1": "z", "a.c": null })).toEqual({
      a: { b: 5 },
      d: { e: 6 },
      list: ["x", "z"],
    });
    expect(definition).toEqual({ a: { b: 1, c: 2 }, list: ["x", "y"] });
  });

  it.each([{ "name.x": 1 }, { "list.7": 1 }])("refuses the impossible path of %j", (values) => {
    expect(() => applySet({ name: "a", list: [] }, values)).toThrow("expected");
  });

  it("comes before validation, and its problems say so", () => {
    const options = { config: emptyConfig, file: null, baseDir: "/jobs" };
    const { job } = resolveJob(promptJob, {
      ...options,
      set: parseSet(["model=qwen-max", "parameters.seed=7"]),
    });
    expect(job).toMatchObject({ model: "qwen-max", parameters: { seed: 7 } });
    expect(() => resolveJob(promptJob, { ...options, set: parseSet(["attempts=none"]) })).toThrow(
      '--set attempts: expected a whole number in [1, 100], received "none"',
    );
  });
});

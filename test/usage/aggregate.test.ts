import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  aggregate,
  parseDimensions,
  type AggregateOptions,
  type Dimension,
} from "../../src/usage/aggregate.js";
import { parseExchangeRate } from "../../src/usage/exchange-rate.js";
import { toExact } from "../../src/usage/money.js";
import { usageOf } from "./results.js";
import { runOf } from "./runs.js";

const translate = runOf({
  runId: "translate-1",
  tags: { team: "localization" },
  rows: [
    { finishedAt: "2026-11-21T23:30:00.000Z" },
    { finishedAt: "2026-11-22T00:30:00.000Z", kind: "timeout", usage: null },
    { finishedAt: "2026-11-22T15:59:59.000Z", model: "qwen-max" },
    { finishedAt: "2026-11-22T16:00:00.000Z", model: "qwen-max" },
  ],
});
const classify = runOf({
  runId: "classify-1",
  job: "classify",
  place: { region: "beijing", provider: "model-studio" },
  rows: [{ usage: usageOf(1_000_000, 0) }],
});
const local = runOf({
  runId: "local-1",
  job: "local",
  place: { provider: "vllm" },
  rows: [{ model: "llama" }],
});
const runs = [translate, classify, local];

function groupsBy(by: Dimension[], options: AggregateOptions = {}): [string, number][] {
  return aggregate(runs, { by, ...options }).groups.map((group) => [
    Object.values(group.group).join(" "),
    group.rows.total,
  ]);
}

describe("grouping usage", () => {
  it("is by any combination of job, model, day, provider and tag", () => {
    expect(groupsBy(["job"])).toEqual([
      ["classify", 1],
      ["translate", 4],
      ["local", 1],
    ]);
    expect(groupsBy(["provider"])).toEqual([
      ["model-studio", 5],
      ["vllm", 1],
    ]);
    expect(groupsBy(["tag:team"])).toEqual([
      ["(none)", 2],
      ["localization", 4],
    ]);
    expect(groupsBy(["day", "model"])).toEqual([
      ["2026-11-21 qwen-plus", 1],
      ["2026-11-22 llama", 1],
      ["2026-11-22 qwen-max", 2],
      ["2026-11-22 qwen-plus", 2],
    ]);
    expect(groupsBy([])).toEqual([]);
  });

  it("takes days in the given time zone", () => {
    expect(groupsBy(["day"], { timeZone: "Asia/Shanghai" })).toEqual([
      ["2026-11-22", 5],
      ["2026-11-23", 1],
    ]);
    expect(groupsBy(["day"], { timeZone: "America/New_York" })).toEqual([
      ["2026-11-21", 2],
      ["2026-11-22", 4],
    ]);
    expect(() => aggregate(runs, { timeZone: "Mars/Olympus" })).toThrow(/not known/);
  });

  it("says that the hour around midnight is not split in zones with half hours", () => {
    // 18:30Z is midnight in Kolkata: both halves of the hour count to the day in which it began.
    const night = [
      runOf({
        rows: [{ finishedAt: "2026-11-22T18:10:00.000Z" }, { finishedAt: "2026-11-22T18:50:00.000Z" }],
      }),
    ];
    const summary = aggregate(night, { by: ["day"], timeZone: "Asia/Kolkata" });
    expect(summary.groups.map((group) => [group.group["day"], group.rows.total])).toEqual([
      ["2026-11-22", 2],
    ]);
    expect(summary.warnings.join(" ")).toContain("counts to the day in which it began");
    expect(aggregate(night, { by: ["day"], timeZone: "Asia/Shanghai" }).warnings).toEqual([]);
  });

  it("limits the period by days, both included, or by times", () => {
    const total = (options: AggregateOptions): number => aggregate([translate], options).total.rows.total;
    expect(total({ since: "2026-11-22" })).toBe(3);
    expect(total({ until: "2026-11-21" })).toBe(1);
    expect(total({ since: "2026-11-22", until: "2026-11-22" })).toBe(3);
    expect(total({ since: "2026-11-23", timeZone: "Asia/Shanghai" })).toBe(1);
    expect(total({ since: "2026-11-22T16:00:00Z" })).toBe(1);
    expect(total({ until: "2026-11-22T16:00:00Z" })).toBe(3);
    expect(aggregate([translate], { since: "2027-01-01" }).runs).toEqual([]);
  });

  it.each(["yesterday", "2026-02-30", "2026-13-01", "2026-11-22T08:00:00", ""])(
    "refuses the period %j",
    (since) => {
      expect(() => aggregate(runs, { since })).toThrow(expect.objectContaining({ code: "invalid_period" }));
    },
  );
});

describe("the money of a group", () => {
  it("stands in one sum per currency, with a mean per 1,000 rows", () => {
    const { total } = aggregate(runs);
    // qwen-plus 0.00052 + 2 x qwen-max (1,000 x 1.6 + 100 x 6.4); Beijing 1,000,000 x 4.8
    expect(total.cost).toEqual([
      { amount: 4.8, currency: "CNY" },
      { amount: 0.005, currency: "USD" },
    ]);
    expect(total.unpricedModels).toEqual(["llama"]);
    const [job] = aggregate([classify]).total.costPer1000Rows;
    expect(job).toEqual({ amount: 4800, currency: "CNY" });
  });

  it("is converted on request", () => {
    const summary = aggregate(runs, { rates: [parseExchangeRate("CNY=0.14USD")] });
    expect(summary.total.cost).toEqual([{ amount: 0.677, currency: "USD" }]);
  });

  it("is not there, rather than zero, for a model without price", () => {
    expect(aggregate([local]).total).toMatchObject({ cost: [], unpricedModels: ["llama"] });
  });
});

it("reports failures by kind, unfinished runs and possible charges", () => {
  const odd = runOf({
    runId: "odd-1",
    finishedAt: null,
    rows: [{ possiblyBilled: 2 }, { kind: "server" }, { kind: "server" }, { kind: "timeout" }],
  });
  const { total, warnings } = aggregate([odd]);
  expect(Object.entries(total.failures)).toEqual([
    ["server", 2],
    ["timeout", 1],
  ]);
  expect(total.attempts).toEqual({ billed: 4, possiblyBilled: 2, unknownUsage: 0 });
  expect(warnings).toEqual([
    "Not finished, figures so far: odd-1.",
    "Calls that may have been billed with no answer recorded, not in the cost: 2, in odd-1.",
  ]);
});

it("has groups that add up to the total, whatever they are by", () => {
  const dimensions = fc.subarray<Dimension>(["job", "model", "day", "provider", "tag:team"], {
    minLength: 1,
  });
  fc.assert(
    fc.property(dimensions, fc.constantFrom("UTC", "Asia/Shanghai", "Asia/Kathmandu"), (by, timeZone) => {
      const { groups, total } = aggregate(runs, { by, timeZone });
      const sum = (of: (group: typeof total) => number): number =>
        groups.reduce((all, group) => all + of(group), 0);
      expect(sum((group) => group.rows.total)).toBe(total.rows.total);
      expect(sum((group) => group.tokens.total)).toBe(total.tokens.total);
      expect(sum((group) => group.attempts.billed)).toBe(total.attempts.billed);
      for (const { currency, amount } of total.cost) {
        const parts = groups.flatMap((group) => group.cost.filter((money) => money.currency === currency));
        expect(parts.reduce((all, money) => all + toExact(money.amount), 0n)).toBe(toExact(amount));
      }
    }),
  );
});

describe("--by", () => {
  it("takes dimensions with commas between", () => {
    expect(parseDimensions("job, model,day,tag:team")).toEqual(["job", "model", "day", "tag:team"]);
  });

  it.each(["", "jobs", "job,job", "tag:", "job,"])("refuses %j", (text) => {
    expect(() => parseDimensions(text)).toThrow(expect.objectContaining({ code: "invalid_dimension" }));
  });
});

import { describe, expect, it } from "vitest";
import { ProviderError, type ProviderErrorOptions } from "../../src/provider/index.js";
import type { QueuePayload } from "../../src/queue/payload.js";
import { costlyStarts, mayHaveBeenBilled } from "../../src/worker/billing.js";
import { fundsFor } from "../../src/worker/funds.js";
import { usageOf } from "../usage/results.js";

const payload: QueuePayload = {
  v: 1,
  rowIndex: 0,
  customId: "0",
  preset: null,
  request: { model: "qwen-plus", messages: [{ role: "user", content: "hi" }], parameters: {} },
};

describe("calls that may have been billed", () => {
  it.each<[string, Partial<ProviderErrorOptions>, boolean]>([
    ["the answer does not come in time", { kind: "timeout", code: "timeout" }, true],
    ["the connection breaks", { kind: "network", code: "connection_reset" }, true],
    ["the answer cannot be read", { kind: "bad_response", code: "invalid_json", httpStatus: 200 }, true],
    ["a stream ends in an error", { kind: "server", code: "server_error", httpStatus: 200 }, true],
    ["nobody listens", { kind: "network", code: "connection_refused" }, false],
    ["the server refuses in good order", { kind: "server", code: "internal_error", httpStatus: 500 }, false],
    [
      "the server asks for patience",
      { kind: "throttled", code: "limit", disposition: "throttled", httpStatus: 429 },
      false,
    ],
    ["the tokens are known", { kind: "bad_response", code: "invalid_json", usage: usageOf(1, 1) }, false],
  ])("are told from those that were not when %s", (_what, options, expected) => {
    const error = new ProviderError("", { disposition: "retryable", kind: "server", code: "x", ...options });
    expect(mayHaveBeenBilled(error)).toBe(expected);
  });
});

describe("the money for a row's starts", () => {
  it("is used by starts whose end is not known and by those that were billed, not by free ones", () => {
    expect(costlyStarts(payload, 3)).toBe(3);
    expect(costlyStarts({ ...payload, ended: 2 }, 3)).toBe(1);
    expect(costlyStarts({ ...payload, ended: 2, priorUsages: [usageOf(1, 1)] }, 3)).toBe(2);
  });

  it("pays for so many, then fails the row or, when it was taken with fewer than its attempts, halts", () => {
    expect(fundsFor(payload, 100, 5)).toBe("paid");
    expect(fundsFor({ ...payload, paidStarts: 5 }, 5, 5)).toBe("paid");
    expect(fundsFor({ ...payload, paidStarts: 5 }, 6, 5)).toBe("used_up");
    expect(fundsFor({ ...payload, paidStarts: 2 }, 3, 5)).toBe("short");
  });
});

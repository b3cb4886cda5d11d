import { describe, expect, it } from "vitest";
import { ProviderError, type ProviderErrorOptions } from "../../src/provider/index.js";
import { billingOf, mayHaveBeenBilled } from "../../src/worker/billing.js";
import { usageOf } from "../usage/results.js";

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
    expect(billingOf(error)).toBe(expected ? "possible" : error.usage === null ? "free" : "billed");
  });
});

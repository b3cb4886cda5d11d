import { describe, expect, it } from "vitest";
import { limitsResetMs, statedWaitMs } from "../../src/provider/http/retry-after.js";
import { json } from "./model-server.js";
import { ask, closeAfterEach, failureOf, plainAt, providerAt, startServer, within } from "./providers.js";

closeAfterEach();

const NOW = Date.UTC(2026, 10, 25, 12);

describe("the wait that a message names", () => {
  it.each<[string, number | null]>([
    ["Rate limit reached. Please try again in 4s.", 4000],
    ["Please try again in 1.5s. Visit https://a.example/429", 1500],
    ["try again in 20ms", 20],
    ["Please try again in 6m0s", 360_000],
    ["please retry after 13 seconds.", 13_000],
    ["Please retry in 38.52s", 38_520],
    ["Retry after 1 minute, 30 seconds", 90_000],
    ["try again in 2 hours", 7_200_000],
    ["请在 7 秒后重试", 7000],
    ["please try again later", null],
    ["try again in 4 simple steps", null],
    ["model 4s is gone", null],
    ["", null],
  ])("is read: %s", (message, expected) => {
    expect(statedWaitMs(message)).toBe(expected);
  });
});

describe("when limits begin anew", () => {
  const at = (seconds: number): number => NOW + seconds * 1000;

  it.each<[string, Record<string, string>, number | null]>([
    [
      "the limit that is used up",
      {
        "x-ratelimit-reset-requests": "4s",
        "x-ratelimit-remaining-requests": "0",
        "x-ratelimit-reset-tokens": "9s",
        "x-ratelimit-remaining-tokens": "80",
      },
      4000,
    ],
    [
      "the longest of several",
      { "x-ratelimit-reset-requests": "4s", "x-ratelimit-reset-tokens": "1m2.5s" },
      62_500,
    ],
    [
      "none that is left",
      { "x-ratelimit-reset-requests": "4s", "x-ratelimit-remaining-requests": "3" },
      null,
    ],
    ["plain seconds", { "x-ratelimit-reset": "12" }, 12_000],
    ["seconds since 1970", { "x-ratelimit-reset": String(at(30) / 1000) }, 30_000],
    ["milliseconds since 1970 (OpenRouter)", { "x-ratelimit-reset": String(at(5)) }, 5000],
    ["a moment that is past", { "x-ratelimit-reset": String(at(-5)) }, 0],
    [
      "a date (Anthropic)",
      {
        "anthropic-ratelimit-tokens-reset": "2026-11-25T12:00:07Z",
        "anthropic-ratelimit-tokens-remaining": "0",
      },
      7000,
    ],
    ["the draft's own name", { "ratelimit-reset": "3" }, 3000],
    ["a word", { "x-ratelimit-reset": "soon" }, null],
    ["nothing", { "x-ratelimit-limit-requests": "60" }, null],
  ])("is read: %s", (_what, headers, expected) => {
    expect(limitsResetMs(headers, NOW)).toBe(expected);
  });
});

describe("a refused call", () => {
  it("is told the nearest word for its wait: its own header, its message, its limits", async () => {
    const server = await startServer();
    const provider = providerAt(plainAt(server.url));
    const limits = { "x-ratelimit-reset-requests": "9s" };
    const refused = async (status: number, message: string, headers: Record<string, string>) => {
      server.respond = json(status, { error: { message } }, headers);
      return (await failureOf(provider.call(ask("Hi"), within()))).retryAfterMs;
    };
    expect(await refused(429, "try again in 4s", { ...limits, "retry-after": "2" })).toBe(2000);
    expect(await refused(429, "try again in 4s", limits)).toBe(4000);
    expect(await refused(429, "slow down", limits)).toBe(9000);
    expect(await refused(503, "loading, try again in 4s", limits)).toBe(4000);
    expect(await refused(503, "loading", limits)).toBeNull();
  });
});

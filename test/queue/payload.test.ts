import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parsePayload, queuePayloadSchema } from "../../src/queue/payload.js";
import { payloadOf } from "./queues.js";

/** Values that a field may hold by mistake or malice, and some that it may hold rightly. */
const anything = fc.oneof(
  fc.constantFrom<unknown>(undefined, null, 0, 1, -1, 1.5, 2 ** 60, Number.NaN, true, "", "user", [], {}),
  fc.constantFrom<unknown>("oss://x", "file:///etc/passwd", [{ type: "text", text: "x" }], [null], [[]]),
  fc.constantFrom<unknown>([{ type: "image", url: "file:///a" }], [{ role: "user", content: "x" }]),
);
const keys = ["v", "rowIndex", "customId", "preset", "requestDigest", "ended", "paidStarts", "priorUsages"];
const changes = fc.record({
  top: fc.dictionary(fc.constantFrom(...keys, "request", "translated", "other"), anything, { maxKeys: 2 }),
  request: fc.dictionary(fc.constantFrom("model", "messages", "parameters", "other"), anything, {
    maxKeys: 1,
  }),
  message: fc.dictionary(
    fc.constantFrom("role", "content", "partial", "toolCallId", "toolCalls", "other"),
    anything,
    { maxKeys: 2 },
  ),
});

describe("What comes out of a queue", () => {
  it("is a payload exactly when the schema says so, also by the short way of usual rows", () => {
    let accepted = 0;
    fc.assert(
      fc.property(changes, ({ top, request, message }) => {
        const usual = payloadOf(3);
        const data: unknown = {
          ...usual,
          request: {
            ...usual.request,
            messages: [
              { role: "system", content: "Be brief." },
              { ...usual.request.messages[0], ...message },
            ],
            ...request,
          },
          ...top,
        };
        const isPayload = queuePayloadSchema.safeParse(data).success;
        if (isPayload) accepted++;
        expect(parsePayload(data)).toBe(isPayload ? data : null);
      }),
      { numRuns: 2_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it.each([null, undefined, "text", 7, [], [payloadOf(0)]])("is no payload when it is %j", (data) => {
    expect(parsePayload(data)).toBeNull();
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { leaseText, parseLease } from "../../src/fleet/lease-text.js";
import type { Lease } from "../../src/protocol/events.js";
import { taskOf } from "../support/tasks.js";

const IDENTITY = "11111111-2222-4333-8444-555555555555";

function leaseOf(text: string): Lease {
  return { number: 3, fence: 2, isAlone: false, rows: [taskOf(7, text), taskOf(8)] };
}

describe("a lease as it travels", () => {
  it("arrives as it was sent, whatever is in its texts, keys in their order", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const lease = leaseOf(`${text}\u0000\ud800`);
        const sent = leaseText(IDENTITY, lease);
        const arrived = parseLease(IDENTITY, sent);
        expect(arrived).toMatchObject(lease);
        expect(JSON.stringify(arrived?.rows[0]?.request)).toBe(JSON.stringify(lease.rows[0]?.request));
      }),
    );
  });

  it("is none when it is of another run, another version, or no lease at all", () => {
    const text = leaseText(IDENTITY, leaseOf("x"));
    expect(parseLease("99999999-2222-4333-8444-555555555555", text)).toBeNull();
    for (const wrong of [
      text.replace('"version":2', '"version":3'),
      text.replace('"rowIndex":7', '"rowIndex":-1'),
      text.replace('"rows":[', '"rows":[null,'),
      text.replace('"role":"user"', '"role":"root"'),
      text.slice(0, -1),
      "null",
      "[]",
    ])
      expect(parseLease(IDENTITY, wrong), wrong).toBeNull();
  });

  it("names no file of this machine", () => {
    const image = [{ type: "image", url: "file:///etc/passwd" }] as const;
    const task = taskOf(1);
    const rows = [
      { ...task, request: { ...task.request, messages: [{ role: "user", content: image }] } },
    ] as const;
    expect(parseLease(IDENTITY, leaseText(IDENTITY, { ...leaseOf("x"), rows }))).toBeNull();
  });
});

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { journalText, Outbox, type OwnEvent } from "../../src/protocol/outbox.js";

function returned(row: number): OwnEvent {
  return { event: "returned", lease: 1, fence: 1, rows: [row], reason: "stopping" };
}

function rowsOf(texts: readonly string[]): number[] {
  return texts.flatMap((text) => (JSON.parse(text) as { rows: number[] }).rows);
}

function filled(events: number): Outbox {
  const outbox = new Outbox();
  for (let row = 1; row <= events; row++) outbox.add(returned(row), row % 2);
  return outbox;
}

describe("Outbox", () => {
  it("numbers events from 1, without gaps, and says how each changes the calls under way", () => {
    const lines = filled(3).all();
    expect(lines.from).toBe(1);
    expect(rowsOf(lines.texts)).toEqual([1, 2, 3]);
    expect(lines.calls).toEqual([1, 0, 1]);
  });

  it("sends an event once, and all that it keeps to a server that it joins", () => {
    const outbox = filled(2);
    outbox.sent(outbox.unsent());
    expect(outbox.hasUnsent).toBe(false);
    outbox.add(returned(3), 0);
    expect(outbox.unsent().from).toBe(3);
    expect(rowsOf(outbox.all().texts)).toEqual([1, 2, 3]);
  });

  it("keeps what is sent until it is acknowledged, and lets nothing go that is not sent", () => {
    const outbox = filled(3);
    const first = { ...outbox.all(), texts: outbox.all().texts.slice(0, 2), calls: [1, 0] };
    outbox.sent(first);
    outbox.acknowledge(3);
    expect(outbox.all().from).toBe(3);
    expect(rowsOf(outbox.all().texts)).toEqual([3]);
    outbox.acknowledge(2); // an older word
    expect(outbox.length).toBe(1);
  });

  it("takes refused marks out as if they had never been, whatever came after them", () => {
    const outbox = filled(1);
    outbox.add(returned(7), 1);
    const lines = outbox.unsent();
    outbox.add(returned(2), 0);
    outbox.remove(lines, 1);
    expect(rowsOf(outbox.all().texts)).toEqual([1, 2]);
  });

  it("never loses, repeats or reorders an event on a server that forgets", () => {
    const step = fc.constantFrom("add", "send", "send unanswered", "acknowledge", "forget", "join");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const outbox = new Outbox();
        const journal: number[] = [];
        let server: number[] = []; // from number acked + 1 on
        let acked = 0;
        let added = 0;
        let isJoined = true;
        const append = ({ from, texts }: { from: number; texts: readonly string[] }): void => {
          server.push(...rowsOf(texts).slice(acked + server.length + 1 - from));
        };
        for (const one of [...steps, "join", "acknowledge"]) {
          const lines = outbox.unsent();
          if (one === "add") outbox.add(returned(++added), 0);
          else if (one === "send" && isJoined) {
            append(lines);
            outbox.sent(lines);
          } else if (one === "send unanswered" && isJoined) append(lines);
          else if (one === "acknowledge") {
            journal.push(...server);
            acked += server.length;
            server = [];
            if (isJoined) outbox.acknowledge(acked);
          } else if (one === "forget") {
            server = [];
            isJoined = false;
          } else if (one === "join") {
            const all = outbox.all();
            server = rowsOf(all.texts).slice(acked + 1 - all.from);
            outbox.sent(all);
            isJoined = true;
          }
        }
        expect(journal).toEqual(Array.from({ length: added }, (_, index) => index + 1));
        expect(outbox.length).toBe(0);
      }),
    );
  });
});

describe("journalText", () => {
  it("puts worker and number before what the worker wrote, and changes nothing of that", () => {
    const text = JSON.stringify(returned(1));
    const line = journalText('w"1', 7, text);
    expect(line.endsWith(text.slice(1))).toBe(true);
    expect(JSON.parse(line)).toEqual({ worker: 'w"1', seq: 7, ...returned(1) });
  });
});

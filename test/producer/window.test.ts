import { describe, expect, it } from "vitest";
import { Window } from "../../src/producer/window.js";

/** Whether a promise is settled once everything that is due has run. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  void promise.then(() => (settled = true));
  await new Promise((resolve) => setImmediate(resolve));
  return settled;
}

describe("the window", () => {
  it("has room while rows and their characters fit", async () => {
    const window = new Window(10, 1_000);
    window.take(4, 400);
    expect(await isSettled(window.room(6, 600))).toBe(true);
    expect(await isSettled(window.room(7, 10))).toBe(false);
  });

  it("has none for a row that is too long, until enough is released", async () => {
    const window = new Window(10, 1_000);
    window.take(2, 900);
    const room = window.room(1, 300);
    expect(await isSettled(room)).toBe(false);
    window.release(1, 100);
    expect(await isSettled(room)).toBe(false);
    window.release(1, 800);
    expect(await isSettled(room)).toBe(true);
  });

  it("lets one row that is longer than all of it pass alone", async () => {
    const window = new Window(10, 1_000);
    expect(await isSettled(window.room(1, 5_000))).toBe(true);
    window.take(1, 5_000);
    const next = window.room(1, 1);
    expect(await isSettled(next)).toBe(false);
    window.release(1, 5_000);
    expect(await isSettled(next)).toBe(true);
  });

  it("lets the one who waits go when it is closed", async () => {
    const window = new Window(1, 10);
    window.take(1, 1);
    const room = window.room(1, 1);
    window.close();
    expect(await isSettled(room)).toBe(true);
  });
});

import type { HaltError } from "../errors.js";

/** Why a run stops working: all is done, somebody said stop, or nothing further could succeed. */
export type StopReason =
  | { kind: "finished" }
  | { kind: "interrupted" }
  | { kind: "halted"; error: HaltError }
  /** The input could not be read on, or a bug: thrown once everything is closed in good order. */
  | { kind: "failed"; error: unknown };

/** Decides once why a run stops; the first reason stands. */
export class Stop {
  readonly reason: Promise<StopReason>;
  #resolve!: (reason: StopReason) => void;
  #decided: StopReason | null = null;

  constructor() {
    this.reason = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }

  get decided(): StopReason | null {
    return this.#decided;
  }

  because(reason: StopReason): void {
    if (this.#decided !== null) return;
    this.#decided = reason;
    this.#resolve(reason);
  }
}

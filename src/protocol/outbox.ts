import type { WorkerEvent } from "./events.js";
import type { Lines } from "./hub.js";

/** An event as its worker makes it: who made it, and its number, are put in where it is journaled. */
export type OwnEvent = WorkerEvent extends infer E
  ? E extends unknown
    ? Omit<E, "worker" | "seq">
    : never
  : never;

interface Entry {
  readonly text: string;
  readonly calls: number;
}

/**
 * A worker's events, numbered, until they are acknowledged as journaled and flushed: whatever a server forgets is sent again.
 *
 * Of each event it is known whether the server that was joined has it (*sent*).
 */
export class Outbox {
  #entries: Entry[] = [];
  /** Number of the first entry. */
  #from = 1;
  #sent = 0;

  get hasUnsent(): boolean {
    return this.#sent < this.#entries.length;
  }

  get length(): number {
    return this.#entries.length;
  }

  /** `calls`: by how much it changes the calls under way. */
  add(event: OwnEvent, calls: number): void {
    this.#entries.push({ text: JSON.stringify(event), calls });
  }

  unsent(): Lines {
    return this.#lines(this.#sent);
  }

  all(): Lines {
    return this.#lines(0);
  }

  /** All lines up to the end of these are on the server. */
  sent({ from, texts }: Lines): void {
    this.#sent = Math.max(this.#sent, from + texts.length - this.#from);
  }

  /** Takes out events that were refused, the last of these lines, as if they had never been. */
  remove({ from, texts }: Lines, last: number): void {
    this.#entries.splice(from - this.#from + texts.length - last, last);
  }

  /** Events up to this number are journaled and flushed. */
  acknowledge(seq: number): void {
    const done = Math.min(seq - this.#from + 1, this.#sent);
    if (done <= 0) return;
    this.#entries.splice(0, done);
    this.#from += done;
    this.#sent -= done;
  }

  #lines(start: number): Lines {
    const entries = this.#entries.slice(start);
    return {
      from: this.#from + start,
      texts: entries.map(({ text }) => text),
      calls: entries.map(({ calls }) => calls),
    };
  }
}

/** The line of the journal for a line of an outbox. */
export function journalText(worker: string, seq: number, text: string): string {
  return `{"worker":${JSON.stringify(worker)},"seq":${seq},${text.slice(1)}`;
}

import { HaltError } from "../../../src/errors.js";
import type { LinePlace, PlacedEvent, WrittenEvent } from "../../../src/protocol/effects.js";
import type { JournalEvent } from "../../../src/protocol/events.js";
import { fileOfOffset, journalOffset } from "../../../src/protocol/line-place.js";
import type { SimProcess } from "./engine.js";
import type { Random } from "./random.js";

interface JournalFile {
  readonly lines: JournalEvent[];
  /** Lines that survive a power cut. */
  flushed: number;
}

/** A disk that forgets what was not flushed when the power goes, that may be full, and has the run lock. */
export class SimDisk {
  readonly files: JournalFile[] = [];
  lock: { readonly holder: SimProcess; verifiedAt: number } | null = null;
  /** When somebody took the lock from a process that may live, by `--take-over`. */
  readonly robbedAt = new Map<SimProcess, number>();
  /** Every coordinator appends to one file. */
  isOneFile = false;
  isFull = false;

  /** The file of a coordinator that has taken the lock. */
  open(): SimJournal {
    if (!this.isOneFile || this.files.length === 0) this.files.push({ lines: [], flushed: 0 });
    return new SimJournal(this, this.files.length - 1);
  }

  /** All files, one after the other, as a reader does it. */
  *events(): Generator<PlacedEvent> {
    for (const [number, { lines }] of this.files.entries())
      for (const [index, event] of lines.entries())
        yield { event, offset: journalOffset(number, index), length: 1 };
  }

  line({ offset }: LinePlace): JournalEvent | undefined {
    const place = fileOfOffset(offset);
    return this.files[place.file]?.lines[place.offset];
  }
}

/** One coordinator's file. It knows how long it is by what it wrote itself. */
export class SimJournal {
  readonly #disk: SimDisk;
  readonly #number: number;
  readonly #file: JournalFile;
  /** How far each of the other files was read. */
  readonly #read = new Map<number, number>();
  #size: number;
  /** A write that is under way: its first line. */
  #writingFrom: number | null = null;
  #failure: HaltError | null = null;

  constructor(disk: SimDisk, number: number) {
    this.#disk = disk;
    this.#number = number;
    this.#file = disk.files[number] as JournalFile;
    this.#size = this.#file.lines.length;
  }

  write(events: readonly WrittenEvent[]): LinePlace[] {
    this.#check();
    const places = events.map((_event, index) => ({
      offset: journalOffset(this.#number, this.#size + index),
      length: 1,
    }));
    this.#writingFrom = this.#file.lines.length;
    this.#size += events.length;
    for (const { event, text } of events)
      this.#file.lines.push(text === undefined ? event : (JSON.parse(text) as JournalEvent));
    return places;
  }

  /** The last write has come to its end. */
  written(): void {
    this.#writingFrom = null;
  }

  /** It takes nothing more, for good. */
  get hasFailed(): boolean {
    return this.#failure !== null;
  }

  /** Lines that a flush that begins now brings to safety. */
  get length(): number {
    return this.#file.lines.length;
  }

  flushed(upTo: number): void {
    this.#check();
    this.#file.flushed = Math.max(this.#file.flushed, upTo);
  }

  /** All that its coordinator could know when the file was as it is now, as a reader reads it. */
  *known(): Generator<PlacedEvent> {
    for (const [number, { lines }] of this.#disk.files.entries()) {
      const upTo = number === this.#number ? lines.length : (this.#read.get(number) ?? 0);
      for (const [index, event] of lines.slice(0, upTo).entries())
        yield { event, offset: journalOffset(number, index), length: 1 };
    }
  }

  /** What other coordinators have written since it was last asked. */
  readOthers(): PlacedEvent[] {
    const found: PlacedEvent[] = [];
    for (const [number, file] of this.#disk.files.entries()) {
      if (number === this.#number) continue;
      const { lines } = file;
      file.flushed = lines.length; // what another machine has read is on the disk that they share
      const from = Math.min(this.#read.get(number) ?? 0, lines.length);
      for (let index = from; index < lines.length; index++)
        found.push({ event: lines[index] as JournalEvent, offset: journalOffset(number, index), length: 1 });
      this.#read.set(number, lines.length);
    }
    return found;
  }

  /** Its process died: of a write that was under way, the first lines are there. Returns what is lost. */
  tear(random: Random): JournalEvent[] {
    const { lines } = this.#file;
    if (this.#writingFrom === null) return [];
    return lines.splice(random.between(this.#writingFrom, lines.length));
  }

  /** The power went: of what was not flushed, the first lines are there. Returns what is lost. */
  losePower(random: Random): JournalEvent[] {
    const { lines, flushed } = this.#file;
    return lines.splice(random.between(Math.min(flushed, lines.length), lines.length));
  }

  #check(): void {
    if (this.#disk.isFull) this.#failure ??= new HaltError("The disk is full.", { code: "disk_full" });
    if (this.#failure !== null) throw this.#failure;
  }
}

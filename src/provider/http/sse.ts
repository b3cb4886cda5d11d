/** One server-sent event. `status` is DashScope's own line, sent with errors. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly status: number | null;
}

export interface EventSink {
  /** Takes one event; true when nothing that matters can follow. */
  take(event: ServerEvent): boolean;
}

/**
 * Cuts a byte stream into events, wherever the chunks were cut: inside a line ending, inside a character.
 *
 * Lines end in LF, CRLF or CR; an event ends at an empty line, or with the stream. Besides the standard's
 * fields it reads DashScope's `status: 400` and its comment form `:HTTP_STATUS/400`, and `error: …` as an error's data.
 */
export class EventParser {
  readonly #decoder = new TextDecoder("utf-8");
  readonly #sink: EventSink;
  /** The unfinished line, in pieces: joined once its end is here, so that a long line costs no more than its length. */
  #pieces: string[] = [];
  #endsInCarriageReturn = false;
  #event = "";
  #data: string | null = null;
  #status: number | null = null;
  #complete = false;

  constructor(sink: EventSink) {
    this.#sink = sink;
  }

  /** Takes the next bytes; true once the sink has all it wants. */
  push(chunk: Uint8Array): boolean {
    this.#text(this.#decoder.decode(chunk, { stream: true }), false);
    return this.#complete;
  }

  /** Takes the end of the stream: what stands unfinished counts as a line and as an event. */
  end(): boolean {
    this.#text(this.#decoder.decode(), true);
    if (this.#pieces.length > 0 && !this.#complete) this.#line(this.#pieces.join(""));
    this.#dispatch();
    return this.#complete;
  }

  #text(text: string, last: boolean): void {
    if (!this.#endsInCarriageReturn && !/[\r\n]/.test(text)) {
      if (text !== "") this.#pieces.push(text);
      return;
    }
    this.#pieces.push(text);
    const all = this.#pieces.join("");
    this.#endsInCarriageReturn = false;
    let start = 0;
    let carriage = all.indexOf("\r");
    while (!this.#complete) {
      if (carriage !== -1 && carriage < start) carriage = all.indexOf("\r", start);
      const feed = all.indexOf("\n", start);
      const end = carriage === -1 || (feed !== -1 && feed < carriage) ? feed : carriage;
      if (end === -1) break;
      if (end === carriage && end === all.length - 1 && !last) {
        // It may be half of a CRLF.
        this.#endsInCarriageReturn = true;
        break;
      }
      this.#line(all.slice(start, end));
      start = end + (end === carriage && all[end + 1] === "\n" ? 2 : 1);
    }
    this.#pieces = start === all.length ? [] : [all.slice(start)];
  }

  #line(line: string): void {
    if (line === "") {
      this.#dispatch();
      return;
    }
    const colon = line.indexOf(":");
    const field = colon === -1 ? line : line.slice(0, colon);
    const from = line[colon + 1] === " " ? colon + 2 : colon + 1;
    const value = colon === -1 ? "" : line.slice(from);
    if (field === "data") this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    else if (field === "event") this.#event = value.trim();
    else if (field === "error") this.#error(value);
    else if (field === "status") this.#status = statusOf(value);
    else if (field === "" && value.startsWith("HTTP_STATUS/")) this.#status = statusOf(value.slice(12));
  }

  /** llama.cpp until September 2025 (ggml-org/llama.cpp#16109): what went wrong, where `data` would stand. */
  #error(value: string): void {
    this.#event = "error";
    this.#data ??= value;
  }

  #dispatch(): void {
    if (this.#data !== null && !this.#complete) {
      this.#complete = this.#sink.take({ event: this.#event, data: this.#data, status: this.#status });
    }
    this.#data = null;
    this.#event = "";
    this.#status = null;
  }
}

function statusOf(value: string): number | null {
  const status = Number(value.trim());
  return Number.isInteger(status) && status >= 100 && status < 600 ? status : null;
}

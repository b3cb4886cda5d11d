import { StreamAssembly } from "../reply/stream-assembly.js";
import { EventParser } from "./sse.js";

const BYTE_ORDER_MARK = Buffer.from([0xef, 0xbb, 0xbf]);
/** So much is enough to tell an event stream from anything else. */
const TELLING_BYTES = 16;
const FIELD = /^(:|(data|event|id|retry|status|error):)/;
const MAY_BECOME_FIELD =
  /^(d|da|dat|data|e|ev|eve|even|event|er|err|erro|error|i|id|r|re|ret|retr|retry|s|st|sta|stat|statu|status)$/;

/**
 * Takes the bytes of an answer. Servers and proxies label streams as JSON and JSON as streams, so the bytes decide,
 * and the content type only where there are none.
 *
 * States: undecided (only white space so far), text (collected), stream (cut into events as they come).
 */
export class AnswerBody {
  stream: StreamAssembly | null = null;
  readonly #isAnnounced: boolean;
  #parser: EventParser | null = null;
  #chunks: Buffer[] = [];
  #isText = false;

  /** `isAnnounced`: the content type says that it is an event stream. */
  constructor(isAnnounced: boolean) {
    this.#isAnnounced = isAnnounced;
  }

  /** true once nothing that matters can follow. */
  push(chunk: Buffer): boolean {
    if (this.#parser !== null) return this.#parser.push(chunk);
    this.#chunks.push(chunk);
    if (this.#isText) return false;
    const isStream = this.#looksLikeStream();
    if (isStream === false) this.#isText = true;
    return isStream === true && this.#toStream();
  }

  /** The whole body where it was no stream. */
  end(): string {
    if (this.#parser === null && !this.#isText && this.#isAnnounced) this.#toStream();
    this.#parser?.end();
    if (this.#parser !== null) return "";
    const [only] = this.#chunks;
    const bytes = this.#chunks.length === 1 && only !== undefined ? only : Buffer.concat(this.#chunks);
    const isMarked = bytes.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK);
    return bytes.toString("utf8", isMarked ? BYTE_ORDER_MARK.length : 0);
  }

  #toStream(): boolean {
    this.stream = new StreamAssembly();
    const parser = new EventParser(this.stream);
    this.#parser = parser;
    const chunks = this.#chunks;
    this.#chunks = [];
    return chunks.some((chunk) => parser.push(chunk));
  }

  /** null: the bytes so far do not tell. */
  #looksLikeStream(): boolean | null {
    const [first] = this.#chunks;
    if (first?.[0] === 0x7b) return false; // {
    const begin = Buffer.concat(this.#chunks)
      .toString("latin1")
      .replace(/^ï»¿/, "")
      .trimStart()
      .slice(0, TELLING_BYTES);
    if (begin === "" || MAY_BECOME_FIELD.test(begin)) return null;
    return FIELD.test(begin);
  }
}

/** UTF-16 units that are gathered before they become bytes: more outlive a young generation's collection. */
const BLOCK_UNITS = 64 * 1024;

/** Gathers text as bytes. No string grows with the number of pieces, so that none meets the engine's limit. */
export class TextBlocks {
  #text = "";
  #blocks: Buffer[] = [];
  #bytes = 0;

  /** Bytes gathered, about. */
  get bytes(): number {
    return this.#bytes + this.#text.length;
  }

  add(text: string): void {
    if (this.#text.length + text.length > BLOCK_UNITS) this.#flush();
    this.#text += text;
  }

  /** All that was gathered since the last call. */
  take(): Buffer {
    this.#flush();
    const [first, ...more] = this.#blocks;
    this.#blocks = [];
    this.#bytes = 0;
    if (first === undefined) return Buffer.alloc(0);
    return more.length === 0 ? first : Buffer.concat([first, ...more]);
  }

  #flush(): void {
    if (this.#text === "") return;
    const block = Buffer.from(this.#text);
    this.#blocks.push(block);
    this.#bytes += block.length;
    this.#text = "";
  }
}

/**
 * A number of JSON whose text a JavaScript number would not give back: a 64-bit integer, `1.0`, `1e400`, `-0`.
 *
 * Its text is its source. Arithmetic, comparison and `JSON.stringify` see the nearest number.
 */
export class SourceNumber extends Number {
  readonly #source: string;

  constructor(source: string) {
    super(source);
    this.#source = source;
  }

  override toString(): string {
    return this.#source;
  }

  // How Liquid compares what is no plain number.
  equals(other: unknown): boolean {
    return this.valueOf() === Number(other);
  }

  gt(other: unknown): boolean {
    return this.valueOf() > Number(other);
  }

  geq(other: unknown): boolean {
    return this.valueOf() >= Number(other);
  }

  lt(other: unknown): boolean {
    return this.valueOf() < Number(other);
  }

  leq(other: unknown): boolean {
    return this.valueOf() <= Number(other);
  }
}

/** The number of a value that is one, else null. */
export function numberOf(value: unknown): number | null {
  if (typeof value === "number") return value;
  return value instanceof SourceNumber ? value.valueOf() : null;
}

const KEY_ORDER = Symbol("key order");
const LIST_POSITION = /^(?:0|[1-9]\d{0,9})$/;

/** Whether JavaScript puts a key of this name before others, wherever it stands: "2" is one. */
export function isListPosition(key: string): boolean {
  return LIST_POSITION.test(key);
}

/** Notes the order of keys in the text, where JavaScript has another. */
export function setKeyOrder(object: object, keys: readonly string[]): void {
  (object as { [KEY_ORDER]?: readonly string[] })[KEY_ORDER] = keys;
}

/** The order of a mapping's keys where JavaScript has another. */
export function keyOrder(object: object): readonly string[] | undefined {
  return (object as { [KEY_ORDER]?: readonly string[] })[KEY_ORDER];
}

/** The keys of a mapping or row in the order of the text that it was read from. */
export function keysOf(object: object): readonly string[] {
  return keyOrder(object) ?? Object.keys(object);
}

import { isScalar, parseDocument, Scalar } from "yaml";
import { UsageError } from "../errors.js";

const UNSAFE_KEYS = ["__proto__", "constructor", "prototype"];

/**
 * Parses `--set key=value` pairs into values by dotted path, the later pair of a path winning.
 *
 * Values are YAML scalars: numbers, true, null, quoted text; also `[a, b]` and `{a: 1}`. Everything else is
 * the text itself, so that a prompt with colons, # or {{ }} needs no quotes. An empty value or null takes
 * the key out, back to its default. UsageError for a pair without "=" or with an impossible path.
 */
export function parseSet(pairs: readonly string[]): Record<string, unknown> {
  const values = new Map<string, unknown>();
  for (const pair of pairs) {
    const equals = pair.indexOf("=");
    const path = (equals === -1 ? pair : pair.slice(0, equals)).trim();
    if (equals === -1) throw invalidSet(`--set ${path}: expected key=value, received no "="`);
    checkPath(path);
    values.set(path, parseValue(pair.slice(equals + 1)));
  }
  return Object.fromEntries(values);
}

/**
 * Returns the definition with the values put at their paths; the definition itself stays as it is.
 *
 * Missing mappings are made on the way. UsageError when a path leads through text or a number.
 */
export function applySet(definition: unknown, values: Readonly<Record<string, unknown>>): unknown {
  let result = definition;
  for (const [path, value] of Object.entries(values)) {
    if (value === undefined) continue;
    checkPath(path);
    result = putAt(result, path.split("."), value, path);
  }
  return result;
}

function putAt(target: unknown, keys: readonly string[], value: unknown, path: string): unknown {
  const [key, ...rest] = keys;
  if (key === undefined) return value;
  if (Array.isArray(target)) {
    const index = Number(key);
    if (!Number.isInteger(index) || index < 0 || index > target.length) {
      throw invalidSet(`--set ${path}: expected a list position from 0 to ${target.length}, received ${key}`);
    }
    return target.toSpliced(index, 1, putAt(target[index], rest, value, path));
  }
  if (target !== undefined && target !== null && typeof target !== "object") {
    throw invalidSet(`--set ${path}: expected a mapping above ${key}, received ${typeof target}`);
  }
  const mapping = (target ?? {}) as Readonly<Record<string, unknown>>;
  if (rest.length === 0 && value === null) {
    return Object.fromEntries(Object.entries(mapping).filter(([name]) => name !== key));
  }
  return {
    ...mapping,
    [key]: putAt(Object.hasOwn(mapping, key) ? mapping[key] : undefined, rest, value, path),
  };
}

function parseValue(text: string): unknown {
  const trimmed = text.trim();
  if (trimmed === "") return null;
  const collection = /^(\[|\{(?![{%]))/.test(trimmed);
  const document = parseDocument(trimmed, { prettyErrors: false, logLevel: "error" });
  if (document.errors.length > 0) return text;
  const node = document.contents;
  if (!isScalar(node)) return collection ? (document.toJS() as unknown) : text;
  const plainText = typeof node.value === "string" && node.type === Scalar.PLAIN;
  return plainText ? text : node.value;
}

function checkPath(path: string): void {
  const keys = path.split(".");
  if (keys.some((key) => key.trim() === "" || UNSAFE_KEYS.includes(key))) {
    throw invalidSet(`--set ${path}: expected a dotted path such as parameters.maxTokens before "="`);
  }
}

function invalidSet(message: string): UsageError {
  return new UsageError(message, {
    code: "invalid_set",
    hint: "For example: --set model=qwen-flash --set parameters.maxTokens=4000",
  });
}

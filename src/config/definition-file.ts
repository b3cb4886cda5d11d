import { readFile } from "node:fs/promises";
import { isAbsolute, resolve } from "node:path";
import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, Scalar } from "yaml";
import type { Document, Node, Pair } from "yaml";
import { UsageError } from "../errors.js";

export type PropertyPath = readonly (string | number)[];

/** 1-based line and column. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/**
 * Where a text value stands in its file. When `exact`, line n of the value is line `line + n - 1` of the
 * file, shifted right by `indent` columns; otherwise (folded and escaped text) only its start is known.
 */
export interface TextPosition {
  readonly line: number;
  readonly indent: number;
  readonly exact: boolean;
}

/** A YAML or JSON file as plain data, with the place of each value kept for messages. */
export interface DefinitionFile {
  /** As the user gave it, for messages. */
  readonly shownPath: string;
  /** Absolute. */
  readonly path: string;
  readonly data: unknown;
  /** Place of a value, or of its nearest ancestor when the value is absent. */
  locate(path: PropertyPath): Position;
  /** Place of a key, for unknown ones. */
  locateKey(path: PropertyPath): Position;
  /** null when the path holds no text. */
  locateText(path: PropertyPath): TextPosition | null;
}

/**
 * Reads a job or configuration file (JSON is read as the YAML that it is).
 *
 * Missing, unreadable, not UTF-8, empty, with a syntax error or a duplicate key: a UsageError with file,
 * line and column. `what` names the file's purpose in messages: "job file". `emptyIs` makes an empty file
 * (comments only) valid.
 */
export async function readDefinitionFile(
  path: string,
  what: string,
  options: { cwd?: string; emptyIs?: unknown } = {},
): Promise<DefinitionFile> {
  const absolute = isAbsolute(path) ? path : resolve(options.cwd ?? process.cwd(), path);
  const definition = parseDefinition(await readText(absolute, path, what), absolute, path);
  if (definition.data !== null && definition.data !== undefined) return definition;
  if (options.emptyIs !== undefined) return { ...definition, data: options.emptyIs };
  throw new UsageError(`${path}: the ${what} is empty`, {
    code: "empty_file",
    hint: "Start from one of the files in jobs/, or run `promptmill init`.",
  });
}

function parseDefinition(text: string, path: string, shownPath: string): DefinitionFile {
  const lines = new LineCounter();
  // The library's own excerpt of the faulty line could show a password: positions only.
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    logLevel: "error",
    uniqueKeys: true,
  });
  const positionOf = (offset: number): Position => {
    const { line, col } = lines.linePos(offset);
    return { line: Math.max(line, 1), column: Math.max(col, 1) };
  };
  const [error] = document.errors;
  if (error !== undefined) {
    const { line, column } = positionOf(error.pos[0]);
    throw new UsageError(
      error.code === "DUPLICATE_KEY"
        ? `${shownPath}:${line}:${column}: this key is given twice`
        : `${shownPath}:${line}:${column}: not valid ${path.endsWith(".json") ? "JSON" : "YAML"}: ${error.message}`,
      {
        code: error.code === "DUPLICATE_KEY" ? "duplicate_key" : "invalid_syntax",
        hint:
          error.code === "DUPLICATE_KEY"
            ? "Remove one of the two."
            : "Check quotes, colons and indentation there; text with a colon, a # or braces needs quotes or a | block.",
      },
    );
  }
  let data: unknown;
  try {
    data = document.toJS();
  } catch (cause) {
    throw new UsageError(`${shownPath}: not valid YAML: ${(cause as Error).message}`, {
      code: "invalid_syntax",
      hint: "Aliases (*name) need an anchor (&name) before them.",
      cause,
    });
  }
  return {
    shownPath,
    path,
    data,
    locate: (at) => positionOf(offsetOf(nodeAt(document, at).node)),
    locateKey(at) {
      const { node } = nodeAt(document, at.slice(0, -1));
      const key = pairOf(node, at.at(-1))?.key;
      return positionOf(offsetOf(isScalar(key) ? key : node));
    },
    locateText(at) {
      const { node, found } = nodeAt(document, at);
      if (!found || !isScalar(node) || typeof node.value !== "string") return null;
      return textPosition(node, node.value, text, positionOf);
    },
  };
}

function textPosition(
  node: Scalar,
  value: string,
  text: string,
  positionOf: (offset: number) => Position,
): TextPosition {
  const start = positionOf(offsetOf(node));
  if (node.type === Scalar.BLOCK_LITERAL) {
    // The range starts at the | sign; the text begins on the line below it.
    const first = value.split("\n").findIndex((line) => line.trim() !== "");
    const fileLine = text.split(/\r?\n/)[start.line + Math.max(first, 0)] ?? "";
    const valueLine = value.split("\n")[Math.max(first, 0)] ?? "";
    return { line: start.line + 1, indent: Math.max(fileLine.length - valueLine.length, 0), exact: true };
  }
  const [from, to] = node.range ?? [0, 0];
  const quoted = node.type === Scalar.QUOTE_DOUBLE || node.type === Scalar.QUOTE_SINGLE ? 1 : 0;
  const exact = to - from - 2 * quoted === value.length && !value.includes("\n");
  return { line: start.line, indent: start.column - 1 + (exact ? quoted : 0), exact };
}

function nodeAt(document: Document, path: PropertyPath): { node: Node | null; found: boolean } {
  let node = document.contents as Node | null;
  for (const key of path) {
    const resolved = isAlias(node) ? (node.resolve(document) ?? null) : node;
    const child = isSeq(resolved) ? resolved.items[Number(key)] : pairOf(resolved, key)?.value;
    if (child === null || child === undefined) return { node, found: false };
    node = child as Node;
  }
  return { node, found: true };
}

function pairOf(node: Node | null, key: string | number | undefined): Pair | undefined {
  if (!isMap(node)) return undefined;
  return node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(key));
}

function offsetOf(node: Node | null): number {
  return node?.range?.[0] ?? 0;
}

async function readText(path: string, shownPath: string, what: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw unreadable(cause, shownPath, what);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new UsageError(`${shownPath}: the ${what} is not UTF-8 text`, {
      code: "not_utf8",
      hint: "Save it as UTF-8 (only the input may be in another encoding).",
      cause,
    });
  }
}

function unreadable(cause: unknown, shownPath: string, what: string): UsageError {
  const code = (cause as NodeJS.ErrnoException).code;
  const reasons: Record<string, string> = {
    ENOENT: `there is no such ${what}`,
    ENOTDIR: `there is no such ${what}`,
    EISDIR: `expected a ${what}, received a folder`,
    EACCES: `the ${what} cannot be read: permission denied`,
  };
  return new UsageError(`${shownPath}: ${reasons[code ?? ""] ?? `the ${what} cannot be read (${code})`}`, {
    code: code === "ENOENT" || code === "ENOTDIR" ? "file_not_found" : "file_unreadable",
    hint: code === "EISDIR" ? `Name a file in it.` : "Check the path; it is relative to the current folder.",
    cause,
  });
}

import { z } from "zod";
import { UsageError } from "../errors.js";
import { SourceNumber } from "../json/source-number.js";
import type { DefinitionFile, Position, PropertyPath } from "./definition-file.js";
import { nearest, normalize } from "./nearest.js";

/** One thing wrong with a definition: `message` starts with the path of the value it is about. */
export interface Problem {
  readonly path: PropertyPath;
  readonly message: string;
  /** About the key itself rather than its value. */
  readonly aboutKey?: boolean;
  /** A better place than the value's own, such as a line within a template. */
  readonly position?: Position;
}

/**
 * Checks data against a schema and words every problem as `path: expected …, received …`.
 *
 * An `error` text in our schemas is the expectation alone ("a number in [0, 2)"), so that every message
 * reads the same. Unknown keys come one problem each, with the key that was probably meant.
 */
export function checkSchema<T>(
  schema: z.ZodType<T>,
  data: unknown,
): { success: true; value: T } | { success: false; problems: Problem[] } {
  const parsed = schema.safeParse(data, { error: expectation });
  if (parsed.success) return { success: true, value: parsed.data };
  let keys: KnownKeys | undefined;
  const problems = parsed.error.issues.flatMap((issue): Problem[] => {
    const path = issue.path.map((key) => (typeof key === "symbol" ? String(key) : key));
    if (issue.code === "invalid_key") {
      return [
        { ...expectedReceived(path, issue.issues[0]?.message ?? issue.message, path.at(-1)), aboutKey: true },
      ];
    }
    if (issue.code !== "unrecognized_keys") {
      return [expectedReceived(path, issue.message, valueAt(data, path))];
    }
    keys ??= knownKeys(schema);
    const known = keys;
    return issue.keys.map((key) => unknownKey([...path, key], known));
  });
  return { success: false, problems };
}

/** A problem in the common wording. Values that may be secrets are not repeated. */
export function expectedReceived(path: PropertyPath, expected: string, received: unknown): Problem {
  const shown = /key|token$|secret|password/i.test(String(path.at(-1) ?? ""))
    ? received === undefined
      ? "nothing"
      : "a value that is not shown"
    : describeValue(received);
  return { path, message: `${showPath(path)}: expected ${expected}, received ${shown}` };
}

/** Dotted, with list positions in brackets: `prompt.messages[0].role`. */
export function showPath(path: PropertyPath): string {
  const text = path.reduce<string>(
    (shown, key) => (typeof key === "number" ? `${shown}[${key}]` : shown === "" ? key : `${shown}.${key}`),
    "",
  );
  return text === "" ? "the whole file" : text;
}

/** A received value in a few words, cut at 60 characters, credentials in URLs masked. */
export function describeValue(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "null";
  if (Array.isArray(value)) return value.length === 0 ? "an empty list" : "a list";
  if (value instanceof SourceNumber) return value.toString();
  if (typeof value === "object") return "a mapping";
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint")
    return String(value);
  if (typeof value !== "string") return `a ${typeof value}`;
  const masked = value.replace(/\/\/[^/@\s]*@/g, "//***@");
  return JSON.stringify(masked.length > 60 ? `${masked.slice(0, 60)}…` : masked);
}

/** Where a problem's definition came from: a file, or values given on the command line for some paths. */
export interface ProblemSource {
  readonly what: string;
  readonly code: string;
  readonly file: DefinitionFile | null;
  /** Dotted paths that `--set` gave. */
  readonly setPaths: readonly string[];
}

/** All problems as one error, each on its line with file, line and column, in the file's order. */
export function problemsError(problems: readonly Problem[], source: ProblemSource): UsageError {
  const located = problems.map((problem) => ({ problem, ...locate(problem, source) }));
  located.sort(
    (a, b) =>
      (a.position?.line ?? 0) - (b.position?.line ?? 0) ||
      (a.position?.column ?? 0) - (b.position?.column ?? 0),
  );
  const lines = located.map(({ problem, prefix }) => `${prefix}${problem.message}`);
  const name = source.file?.shownPath ?? `the ${source.what}`;
  const [only] = lines;
  const hint = source.what.startsWith("job")
    ? "Every key with its bounds is in schema/job.schema.json; `promptmill validate` checks again without calling anything."
    : "The keys of a configuration file are queue, providers, presets and prices.";
  return new UsageError(
    lines.length === 1 && only !== undefined
      ? only
      : [`${name}: ${lines.length} problems`, ...lines.map((line) => `  ${line}`)].join("\n"),
    { code: source.code, hint },
  );
}

function locate(problem: Problem, source: ProblemSource): { prefix: string; position: Position | null } {
  const dotted = problem.path.join(".");
  const isSet = source.setPaths.some(
    (path) => dotted === path || dotted.startsWith(`${path}.`) || path.startsWith(`${dotted}.`),
  );
  if (isSet && dotted !== "") return { prefix: "--set ", position: null };
  if (source.file === null) return { prefix: "", position: null };
  const position =
    problem.position ??
    (problem.aboutKey === true ? source.file.locateKey(problem.path) : source.file.locate(problem.path));
  return { prefix: `${source.file.shownPath}:${position.line}:${position.column}: `, position };
}

const typeNames: Record<string, string> = {
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
  array: "a list",
  object: "a mapping",
  record: "a mapping",
};

/** What zod expected, in our words, for schemas without a wording of their own. */
function expectation(issue: z.core.$ZodRawIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return typeNames[issue.expected] ?? issue.expected;
    case "invalid_value":
      return issue.values.map((value) => String(value)).join(" or ");
    case "too_small":
      return issue.origin === "string" ? "text that is not empty" : `at least ${issue.minimum}`;
    case "too_big":
      return `at most ${issue.maximum}${issue.origin === "string" ? " characters" : ""}`;
    case "invalid_format":
      return `text of the form ${issue.pattern ?? issue.format}`;
    default:
      return "another value";
  }
}

function valueAt(data: unknown, path: PropertyPath): unknown {
  let value: unknown = data;
  for (const key of path) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, key)) return undefined;
    value = (value as Record<string | number, unknown>)[key];
  }
  return value;
}

/** Known keys by the dotted path of the mapping that has them; list positions and free names are `*`. */
type KnownKeys = ReadonlyMap<string, readonly string[]>;

interface JsonSchemaNode {
  readonly properties?: Readonly<Record<string, JsonSchemaNode>>;
  readonly additionalProperties?: JsonSchemaNode | boolean;
  readonly items?: JsonSchemaNode;
  readonly anyOf?: readonly JsonSchemaNode[];
}

function knownKeys(schema: z.ZodType): KnownKeys {
  const keys = new Map<string, string[]>();
  const visit = (node: JsonSchemaNode, path: readonly string[]): void => {
    if (node.properties !== undefined) {
      const at = path.join(".");
      keys.set(at, [...(keys.get(at) ?? []), ...Object.keys(node.properties)]);
      for (const [key, child] of Object.entries(node.properties)) visit(child, [...path, key]);
    }
    if (typeof node.additionalProperties === "object") visit(node.additionalProperties, [...path, "*"]);
    if (node.items !== undefined) visit(node.items, [...path, "*"]);
    for (const branch of node.anyOf ?? []) visit(branch, path);
  };
  visit(z.toJSONSchema(schema, { io: "input", unrepresentable: "any" }) as JsonSchemaNode, []);
  return keys;
}

function unknownKey(path: PropertyPath, keys: KnownKeys): Problem {
  const name = String(path.at(-1));
  const parent = path.slice(0, -1);
  const siblings = siblingsOf(parent, keys);
  const meant = nearest(name, siblings);
  const elsewhere = [...keys].flatMap(([at, names]) =>
    names
      .filter((key) => normalize(key) === normalize(name) && !at.includes("*"))
      .map((key) => (at === "" ? key : `${at}.${key}`)),
  );
  const exact = meant !== null && normalize(meant) === normalize(name);
  const suggestion = exact ? meant : (elsewhere[0] ?? meant);
  const tail =
    suggestion !== null && suggestion !== undefined
      ? `did you mean ${suggestion}?`
      : `expected one of ${siblings.join(", ")}`;
  return { path, aboutKey: true, message: `${showPath(path)}: unknown key; ${tail}` };
}

function siblingsOf(parent: PropertyPath, keys: KnownKeys): readonly string[] {
  const matches = [...keys].find(([at]) => {
    const parts = at === "" ? [] : at.split(".");
    return (
      parts.length === parent.length &&
      parts.every((part, index) => part === "*" || part === String(parent[index]))
    );
  });
  return matches?.[1] ?? [];
}

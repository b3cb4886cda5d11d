import { Liquid, LiquidError, Output, TokenKind, toValueSync, UndefinedVariableError } from "liquidjs";
import type { Template as LiquidTemplate } from "liquidjs";
import { nearest } from "../config/nearest.js";
import { columnNamed } from "../input/look-alike.js";
import { printable, shownText } from "../input/unsafe-text.js";
import { jsonText } from "../json/json-text.js";
import { keysOf } from "../json/source-number.js";
import type { TemplatePosition } from "./resolved-job.js";

/** A mistake in a template or a row that it cannot be rendered for. */
export class TemplateError extends Error {
  /** 1-based, in the template's own text. */
  readonly line: number;
  readonly column: number;
  /** The column that the row lacks, when that is the problem. */
  readonly missing: string | null;

  constructor(message: string, line: number, column: number, missing: string | null, cause: unknown) {
    super(message, { cause });
    this.name = "TemplateError";
    this.line = line;
    this.column = column;
    this.missing = missing;
  }
}

/** A template, parsed once and rendered per row. */
export interface Template {
  /** Columns it names, those within `row["…"]` included. */
  readonly variables: readonly string[];
  /** First place of each variable, 1-based, in the template's own text. */
  lineOf(variable: string): number;
  /** Inserts the row's values; nothing in them is read as a template. Throws TemplateError. */
  render(values: Readonly<Record<string, unknown>>): string;
}

/**
 * Limits per render. Memory is counted in characters and list items, and stops a runaway loop at once; the
 * time limit is for what costs no memory, and long enough that a busy machine does not fail a good row.
 */
const engine = new Liquid({
  strictVariables: true,
  strictFilters: true,
  // `{% if column %}` and `| default:` are ways to ask whether a value is there.
  lenientIf: true,
  ownPropertyOnly: true,
  parseLimit: 5_000_000,
  memoryLimit: 50_000_000,
  renderLimit: 5_000,
  // Anything found here would come from a file.
  templates: {},
  outputEscape: (value: unknown) =>
    (typeof value === "object" && value !== null ? jsonText(value) : value) as string,
});
for (const tag of ["include", "render", "layout", "block"]) delete engine.tags[tag];
for (const name of ["json", "jsonify"]) {
  engine.registerFilter(name, function (value: unknown, spaces: unknown = 0) {
    const text = jsonText(value, " ".repeat(Number(spaces)));
    this.context.memoryLimit.use(text.length);
    return text;
  });
}

/** A plain insertion; Liquid's words for values are no columns. */
const INSERTION = /\{\{ *((?!(?:true|false|nil|null|empty|blank) *\}\})[\p{L}_][\p{L}\p{N}_]*) *\}\}/gu;

/** Name under which a template reaches the whole row, for columns that are no Liquid name. */
const ROW = "row";

/**
 * Parses a Liquid template over a row's columns: `{{ title }}`, `{{ 列名 }}`, and `{{ row["Product name"] }}`
 * for names with spaces. A column may itself be called `row`.
 *
 * No tag reads files. Lists and mappings (JSONL) come out as JSON. Templates of plain insertions take a path of
 * their own for rows whose values are text: ten times faster, and a tenth of the garbage that a fast run makes.
 * Throws TemplateError for wrong syntax.
 */
export function parseTemplate(source: string): Template {
  const parsed = attempt(() => engine.parse(source));
  refuseWords(parsed);
  const uses = variableUses(parsed);
  const names = [...uses.places.keys()];
  const insertions = plainInsertions(source);
  const renderPlainly = (values: Values): string | null =>
    insertions === null ? null : insert(insertions, values);
  return {
    variables: names,
    lineOf: (variable) => uses.places.get(variable) ?? 1,
    render: (values) => {
      const text = renderPlainly(values);
      if (text !== null) return text;
      const found = withMissing(values, names);
      const again = found === values ? null : renderPlainly(found);
      if (again !== null) return again;
      return attempt(() => engine.renderSync(parsed, withWholeRow(found, uses)) as string, values);
    },
  };
}

type Values = Readonly<Record<string, unknown>>;

/** The row with the columns that a template names and that only look like columns of the row. */
function withMissing(values: Values, names: readonly string[]): Values {
  let found: Record<string, unknown> | null = null;
  for (const name of names) {
    if (Object.hasOwn(values, name)) continue;
    const column = columnNamed(keysOf(values), name);
    // To Liquid, the `size` of what has none is the number of its keys.
    if (column === null && name !== "size") continue;
    found ??= Object.assign(Object.create(null) as object, values) as Record<string, unknown>;
    found[name] = column === null ? undefined : values[column];
  }
  return found ?? values;
}

/** The row together with itself under the name `row`, for templates that reach into it. */
function withWholeRow(values: Values, { row }: VariableUses): Values {
  if (!row.inside) return values;
  if (row.alone !== null && Object.hasOwn(values, ROW)) {
    throw new TemplateError(
      'row["…"] is the whole row here, so that a column called "row" is written {{ row["row"] }}',
      row.alone,
      1,
      null,
      null,
    );
  }
  return Object.assign(Object.create(null) as object, values, { [ROW]: values });
}

/** Words of Liquid that it prints as such: who writes one as an insertion means a column of that name. */
function refuseWords(templates: readonly LiquidTemplate[]): void {
  for (const template of templates) {
    if (template instanceof Output) refuseWord(template);
    else if (template.children !== undefined) refuseWords(toValueSync(template.children(false, true)));
  }
}

function refuseWord({ value, token }: Output): void {
  const [word, ...rest] = value.initial.postfix;
  if (word === undefined || rest.length > 0) return;
  // The escaping of values is a filter, too.
  const isNumber = word.kind === TokenKind.Number && value.filters.length <= 1;
  if (word.kind !== TokenKind.Literal && !isNumber) return;
  const name = word.getText();
  const [line, column] = token.getPosition() as [number, number];
  throw new TemplateError(
    `{{ ${name} }} inserts no column: ${isNumber ? "it is a number" : "it is a word of Liquid"}; a column of that name is written {{ row["${name}"] }}`,
    line,
    column,
    null,
    null,
  );
}

/** Text and column names in turn, when the template is nothing else; else null. */
function plainInsertions(source: string): readonly string[] | null {
  const pieces = source.split(INSERTION);
  return pieces.some((piece, index) => index % 2 === 0 && /\{(?:[{%]|$)/u.test(piece)) ? null : pieces;
}

/** null when a value is not text: then what becomes of it is Liquid's to say. */
function insert(pieces: readonly string[], values: Readonly<Record<string, unknown>>): string | null {
  let text = pieces[0] as string;
  for (let at = 1; at < pieces.length; at += 2) {
    const column = pieces[at] as string;
    const value = Object.hasOwn(values, column) ? values[column] : undefined;
    if (typeof value !== "string") return null;
    text += value + (pieces[at + 1] as string);
  }
  return text;
}

/** Says where in its file a template's line stands: `jobs/a.yaml:12:7`; null when that is not known. */
export function placeInFile(
  position: TemplatePosition | undefined,
  line: number,
  column: number,
): { line: number; column: number } | null {
  if (position === undefined) return null;
  if (position.exact !== true) return { line: position.line, column: 1 + (position.indent ?? 0) };
  return { line: position.line + line - 1, column: column + (position.indent ?? 0) };
}

interface VariableUses {
  /** First line of each column that is named. */
  readonly places: ReadonlyMap<string, number>;
  /** How `row` is used: the first line where it stands alone, and whether something reaches into it. */
  readonly row: { readonly alone: number | null; readonly inside: boolean };
}

function variableUses(parsed: LiquidTemplate[]): VariableUses {
  const places = new Map<string, number>();
  let alone: number | null = null;
  let inside = false;
  for (const uses of Object.values(engine.analyzeSync(parsed).globals)) {
    for (const { segments, location } of uses) {
      const [root, property] = segments;
      const isInside = root === ROW && segments.length > 1;
      if (isInside) inside = true;
      else if (root === ROW) alone = Math.min(alone ?? Infinity, location.row);
      const name = isInside ? property : root;
      // row[column] names a column only when the row is there; the inner variable counts by itself.
      if (name === undefined || typeof name === "object") continue;
      const line = Math.min(places.get(String(name)) ?? Infinity, location.row);
      places.set(String(name), line);
    }
  }
  return { places, row: { alone, inside } };
}

function attempt<T>(action: () => T, values?: Readonly<Record<string, unknown>>): T {
  try {
    return action();
  } catch (cause) {
    if (!LiquidError.is(cause)) throw cause;
    const [line, column] = (cause as LiquidError).token.getPosition() as [number, number];
    if (!(cause instanceof UndefinedVariableError))
      throw new TemplateError(reason(cause), line, column, null, cause);
    const path = (cause.originalError as { variableName?: string } | undefined)?.variableName ?? "";
    const [root = "", ...rest] = path.split(".");
    const missing = root === ROW && rest.length > 0 ? rest.join(".") : path;
    const meant = values === undefined ? null : nearest(missing, Object.keys(values));
    const hint = meant === null ? "" : `; did you mean ${printable(meant)}?`;
    throw new TemplateError(`there is no column ${shownText(missing)}${hint}`, line, column, missing, cause);
  }
}

/** The message without the position that the library appends in its own form. */
function reason(error: Error): string {
  return error.message.replace(/, (file:.*, )?line:\d+, col:\d+$/, "");
}

import { printable } from "../safe-text.js";

/** One column of a plain text table. */
export interface TextColumn {
  readonly title: string;
  readonly align?: "left" | "right";
  /** May be cut with an ellipsis when the table is too wide. Default false. */
  readonly shrinks?: boolean;
}

const GAP = "  ";
const LEAST_WIDTH = 8;

/**
 * Lays cells out in columns: headings, a rule, one line per row. When `width` (in terminal columns) is
 * given and too small, columns that may shrink are cut, the widest first; the table may still be wider.
 */
export function formatTextTable(
  columns: readonly TextColumn[],
  cells: readonly (readonly string[])[],
  width?: number,
): string {
  const rows = cells.map((row) => row.map(printable));
  const widths = columnWidths(columns, rows);
  if (width !== undefined) shrink(columns, widths, width);
  const line = (cells: readonly string[]): string =>
    columns
      .map((column, index) => fit(cells[index] ?? "", widths[index] ?? 0, column.align ?? "left"))
      .join(GAP)
      .trimEnd();
  return [
    line(columns.map((column) => column.title)),
    widths.map((size) => "─".repeat(size)).join(GAP),
    ...rows.map(line),
  ].join("\n");
}

/** Width that `formatTextTable` would take if nothing were cut. */
export function textTableWidth(columns: readonly TextColumn[], rows: readonly (readonly string[])[]): number {
  return total(columnWidths(columns, rows));
}

function columnWidths(columns: readonly TextColumn[], rows: readonly (readonly string[])[]): number[] {
  const widths = columns.map((column) => displayWidth(column.title));
  for (const row of rows) {
    for (const [index, cell] of row.entries()) {
      widths[index] = Math.max(widths[index] ?? 0, displayWidth(cell));
    }
  }
  return widths;
}

function shrink(columns: readonly TextColumn[], widths: number[], width: number): void {
  while (total(widths) > width) {
    let widest = -1;
    for (const [index, column] of columns.entries()) {
      const size = widths[index] ?? 0;
      if (column.shrinks && size > LEAST_WIDTH && size > (widths[widest] ?? 0)) widest = index;
    }
    if (widest < 0) return;
    widths[widest] = (widths[widest] ?? 0) - 1;
  }
}

function total(widths: readonly number[]): number {
  return widths.reduce((sum, size) => sum + size, 0) + GAP.length * Math.max(0, widths.length - 1);
}

function fit(text: string, width: number, align: "left" | "right"): string {
  const cut = displayWidth(text) > width ? cutTo(text, width) : text;
  const padding = " ".repeat(Math.max(0, width - displayWidth(cut)));
  return align === "right" ? padding + cut : cut + padding;
}

function cutTo(text: string, width: number): string {
  let cut = "";
  let used = 0;
  for (const character of text) {
    const size = displayWidth(character);
    if (used + size > width - 1) break;
    cut += character;
    used += size;
  }
  return `${cut}…`;
}

const WIDE =
  /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]|\p{Emoji_Presentation}/u;
const ZERO = /\p{Mn}|\p{Me}|\p{Cf}/u;

/** Columns that a terminal uses for a text: two for East Asian wide characters, none for marks. */
export function displayWidth(text: string): number {
  let width = 0;
  for (const character of text) width += ZERO.test(character) ? 0 : WIDE.test(character) ? 2 : 1;
  return width;
}

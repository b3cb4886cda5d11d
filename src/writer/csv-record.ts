/**
 * Makes cells of CSV that every reader takes for the same text. Quoted is what holds a quote, the delimiter, CR
 * or LF, and what begins or ends with white space or begins with `#`, a comment to some readers.
 */
export function csvCells(delimiter = ","): (text: string) => string {
  const mustBeQuoted = new RegExp(`["\\r\\n\\${delimiter}]|^[\\s#]|\\s$`);
  return (text) => (mustBeQuoted.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
}

/** A record of CSV with its line break. */
export function csvRecord(cells: readonly (string | number)[]): string {
  return `${cells.map(String).map(csvCells()).join()}\n`;
}

import type { InputRow } from "../input/row.js";
import type { Message } from "../types.js";
import { givenValue, textCell } from "./cell.js";
import { rowMessages } from "./row-messages.js";
import { RowProblem } from "./row-problem.js";

/**
 * The messages of a prompt row: its `messages`, or its `prompt` with an optional `system`.
 *
 * Texts go out as they are, unrendered. Throws RowProblem when none or several forms are given, when the
 * prompt is blank, and for a system message where translation models take none.
 */
export function promptRowMessages(
  row: InputRow,
  forTranslation: boolean,
  baseDir: string,
): readonly Message[] {
  const list = givenValue(row, "messages");
  const system = givenValue(row, "system") === undefined ? undefined : textCell(row, "system");
  if (forTranslation && system !== undefined) {
    throw refuse(row, "system", "translation models take no system message; expected an empty cell");
  }
  if (list !== undefined) {
    const other = ["prompt", "system"].find((column) => givenValue(row, column) !== undefined);
    if (other !== undefined)
      throw refuse(row, other, "expected either messages or prompt (with system), received both");
    const messages = rowMessages(row, list, baseDir);
    if (forTranslation && (messages.length > 1 || messages[0]?.role !== "user")) {
      throw refuse(row, "messages", "translation models take exactly one user message");
    }
    return messages;
  }
  const prompt = textCell(row, "prompt");
  if (prompt === undefined || prompt.trim() === "") {
    const received = prompt === undefined ? "nothing" : "an empty cell";
    throw refuse(
      row,
      "prompt",
      `expected the prompt's text (or messages), received ${received}`,
      "empty_prompt",
    );
  }
  const user: Message = { role: "user", content: prompt };
  return system === undefined ? [user] : [{ role: "system", content: system }, user];
}

function refuse(row: InputRow, column: string, problem: string, code = "invalid_value"): RowProblem {
  return new RowProblem(row, `column ${column}: ${problem}`, { code, column });
}

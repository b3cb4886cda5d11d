import type { RowTask } from "../../src/protocol/events.js";

/** A row's task as the producer makes it. */
export function taskOf(rowIndex: number, text = "x", more: Partial<RowTask> = {}): RowTask {
  return {
    rowIndex,
    customId: `r${rowIndex}`,
    preset: null,
    request: { model: "qwen-plus", messages: [{ role: "user", content: text }], parameters: {} },
    bound: { inputTokens: 100, outputTokens: 100 },
    ended: 0,
    unusable: 0,
    paidCalls: null,
    ...more,
  };
}

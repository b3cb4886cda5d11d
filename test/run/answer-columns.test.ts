import { expect, it } from "vitest";
import { jsonText } from "../../src/json/json-text.js";
import { answerColumns } from "../../src/run/answer-columns.js";
import { promptJob, resolved } from "../job/fixtures.js";
import { answered } from "../support/results.js";

const schema = { type: "object", properties: { id: {}, price: {}, more: {} } };
const said = '{"price":1.50,"id":12345678901234567890,"more":{"2":-0,"1":1e400},"price":1.50}';
const text = `Here you are:\n\`\`\`json\n${said}\n\`\`\``;

it("A structured answer keeps its numbers and the order of its keys", () => {
  const csv = answerColumns(resolved({ ...promptJob, output: { schema } }));
  expect(csv.map(({ name, value }) => [name, jsonText(value(answered(0, text)))])).toEqual([
    ["id", "12345678901234567890"],
    ["price", "1.50"],
    ["more", '{"2":-0,"1":1e400}'],
  ]);
  const jsonl = answerColumns(resolved({ ...promptJob, output: { schema, format: "jsonl" } }));
  expect(jsonText(jsonl[0]?.value(answered(0, text)))).toBe(
    '{"price":1.50,"id":12345678901234567890,"more":{"2":-0,"1":1e400}}',
  );
});

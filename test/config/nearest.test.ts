import { expect, it } from "vitest";
import { nearest } from "../../src/config/nearest.js";

const keys = ["name", "model", "maxTokens", "topP", "temperature"];

it.each([
  ["modle", "model"],
  ["max_tokens", "maxTokens"],
  ["top-p", "topP"],
  ["Temprature", "temperature"],
  ["nam", "name"],
  ["colour", null],
  ["", null],
])("the nearest to %j is %j", (name, expected) => {
  expect(nearest(name, keys)).toBe(expected);
});

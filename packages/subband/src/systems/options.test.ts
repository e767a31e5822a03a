import { expect, test } from "vitest";
import { listed } from "./options.ts";

test("listed() puts commas between words and `and` before the last", () => {
  expect([[], ["a"], ["a", "b"], ["a", "b", "c"]].map(listed)).toEqual(["", "a", "a and b", "a, b and c"]);
});

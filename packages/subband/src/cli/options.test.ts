import { InvalidArgumentError } from "commander";
import { describe, expect, test } from "vitest";
import { decimal } from "../systems/options.ts";
import { parseCount, parsePositive, parseSize, parseSteps, parseThreads } from "./options.ts";

const NO_NUMBERS = [
  "",
  " ",
  "-1",
  "NaN",
  "Infinity",
  "1e309",
  "1e3",
  "0x10",
  "1.5",
  "1_000",
  "１",
  "99999999999999999999",
];

describe("whole numbers", () => {
  test.each([
    [parseCount, 0],
    [parsePositive, 1],
    [parseSteps, 1],
    [parseThreads, 1],
  ])("%o takes digits from %i on, and says so", (parse, least) => {
    for (const text of [...NO_NUMBERS, ...(least === 1 ? ["0"] : [])])
      expect(() => parse(text), text).toThrow(
        expect.objectContaining({ message: expect.stringContaining(`at least ${least}`) as string }) as Error,
      );
    expect(parse(` ${least} `)).toBe(least);
    expect(parse("007")).toBe(7);
  });

  test("what has a most says it", () => {
    expect(parseSteps("10000")).toBe(10_000);
    for (const text of ["10001", "1000000000"])
      expect(() => parseSteps(text)).toThrow("Give a whole number of at least 1 and at most 10,000.");
    expect(() => parseThreads("1000000000")).toThrow("at most 1,024.");
    expect(parseCount("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
    expect(() => parseCount("9007199254740992")).toThrow("at most 9,007,199,254,740,991.");
    expect(() => parseCount("1.5")).toThrow("Give a whole number of at least 0.");
  });
});

describe("decimal()", () => {
  test.each([
    ["0.1", 0.1],
    [" 25 ", 25],
    ["1e-3", 1e-3],
    [".5", 0.5],
    ["5.", 5],
    ["-2", -2],
  ])("%j is %d", (text, value) => expect(decimal(text)).toBe(value));
  test.each(["", "0x1", "1e309", "Infinity", "NaN", "1,5", "1_0", "--1"])("%j is no number", (text) =>
    expect(decimal(text)).toBeNaN(),
  );
});

describe("parseSize()", () => {
  test("is pixels, wide and high", () => {
    expect([parseSize("64"), parseSize("64x48")]).toEqual([
      { height: 64, width: 64 },
      { height: 48, width: 64 },
    ]);
    for (const text of ["", "0", "64x0", "-1", "0x40", "1e2", "100000", "64x48x3"])
      expect(() => parseSize(text), text).toThrow(InvalidArgumentError);
  });
});

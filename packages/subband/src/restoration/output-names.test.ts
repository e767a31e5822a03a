import { describe, expect, test } from "vitest";
import { foldedName, nameClaims, outputNames } from "./output-names.ts";

describe("outputNames()", () => {
  const CASES: readonly [readonly string[], readonly string[]][] = [
    [
      ["a.jpg", "b.png", "c.TIFF", "sub/a.webp"],
      ["a.png", "b.png", "c.TIFF", "sub/a.png"],
    ],
    [
      ["a.jpg", "a.png"],
      ["a.jpg.png", "a.png"],
    ],
    [
      ["x.jpg", "x.jpg.png", "x.webp"],
      ["x.jpg.2.png", "x.jpg.png", "x.webp.png"],
    ],
    [
      ["A.JPG", "a.jpg"],
      ["A.JPG.png", "a.jpg.2.png"],
    ],
    [
      ["A.png", "a.png"],
      ["A.png", "a.2.png"],
    ],
    [
      ["\u00e9.jpg", "e\u0301.jpg"],
      ["\u00e9.jpg.png", "e\u0301.jpg.2.png"],
    ],
    [
      ["x.jpg", "x.png/y.png"],
      ["x.jpg.png", "x.png/y.png"],
    ],
    [
      ["x.2.png", "x.jpg.2.png", "x.jpg.png", "x.jpg", "x.gif"],
      ["x.2.png", "x.jpg.2.png", "x.jpg.png", "x.jpg.3.png", "x.gif.png"],
    ],
  ];
  test.each(CASES)("%j become %j", (names, outputs) => expect(outputNames(names)).toEqual(outputs));

  test("as many names as pictures, whatever they are called", () => {
    const parts = ["x", "X", "x.jpg", "x.png", "e\u0301", "\u00e9"];
    const ends = [".jpg", ".JPG", ".png", ".webp", ".jpg.png", ".tif", ".2.png"];
    const names = parts.flatMap((part) => ends.map((end) => part + end));
    expect(new Set(outputNames(names).map(foldedName)).size).toBe(new Set(names).size);
  });
});

test("nameClaims() numbers what is taken", () => {
  const { claim } = nameClaims(["Taken.png"]);
  expect([claim("taken.png"), claim("taken.png"), claim("taken.png", "b.png"), claim("a/b")]).toEqual([
    "taken.2.png",
    "taken.3.png",
    "b.png",
    "a/b",
  ]);
});

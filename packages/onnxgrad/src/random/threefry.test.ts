import { describe, expect, test } from "vitest";
import { rng, threefry2x32 } from "./threefry.ts";

describe("threefry2x32()", () => {
  // Known answers of the Random123 distribution (threefry2x32, 20 rounds).
  test.each([
    [
      [0, 0, 0, 0],
      [0x6b200159, 0x99ba4efe],
    ],
    [
      [0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff],
      [0x1cb996fc, 0xbb002be7],
    ],
    [
      [0x13198a2e, 0x03707344, 0x243f6a88, 0x85a308d3],
      [0xc4923a9c, 0x483df7a0],
    ],
  ])("matches the published known answer for %j", ([k0, k1, c0, c1], expected) => {
    const out = new Uint32Array(2);
    threefry2x32(k0!, k1!, c0!, c1!, out);
    expect([...out]).toEqual(expected);
  });
});

describe("rng()", () => {
  test("repeats for the same name and differs in seed, purpose and index", () => {
    const first = (seed: number, purpose: string, index: number) => rng(seed, purpose, index).uint32();
    expect(first(1, "a", 2)).toBe(first(1, "a", 2));
    expect(new Set([first(1, "a", 2), first(2, "a", 2), first(1, "b", 2), first(1, "a", 3)]).size).toBe(4);
  });
  test("draws normals with the moments of N(0, 1)", () => {
    const n = 200_000;
    const draws = rng(7, "moments").fillNormal(new Float64Array(n));
    const moment = (k: number) => draws.reduce((sum, x) => sum + x ** k, 0) / n;
    // Standard errors: 1/sqrt(n) = .0022, sqrt(2/n) = .0032, sqrt(96/n) = .022; five of each.
    expect(Math.abs(moment(1))).toBeLessThan(0.011);
    expect(Math.abs(moment(2) - 1)).toBeLessThan(0.016);
    expect(Math.abs(moment(4) - 3)).toBeLessThan(0.11);
  });
  test("permutes without loss", () => {
    const order = rng(3, "order").permutation(1000);
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 1000 }, (_, i) => i));
    expect([...order]).not.toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });
});

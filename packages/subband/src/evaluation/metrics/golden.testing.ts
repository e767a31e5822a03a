/** @module Rows and figures that `tests/support/make-frechet-golden.py` computed with numpy and scipy. */
import { readFileSync } from "node:fs";
import { legacyRandn } from "../../../../../tests/support/numpy-random.ts";

export interface GoldenRows {
  readonly seed: number;
  readonly n: number;
  readonly halvings: number;
  readonly shift: number;
}

export interface FrechetGolden {
  readonly name: string;
  readonly d: number;
  readonly a: GoldenRows;
  readonly b: GoldenRows;
  readonly traceSqrt: number;
  readonly sqrtm: number;
  readonly distance: number;
}

export const FRECHET_GOLDEN = JSON.parse(
  readFileSync(new URL("frechet-golden.json", import.meta.url), "utf8"),
) as readonly FrechetGolden[];

/** The rows [n, d] of a case. */
export function goldenRows({ seed, n, halvings, shift }: GoldenRows, d: number): Float32Array {
  return Float32Array.from(
    legacyRandn(seed)(n * d),
    (value, i) => value * 2 ** -Math.floor((halvings * (i % d)) / (d - 1)) + shift,
  );
}

/** @module Rows and figures that `tests/support/make-neighbours-golden.py` computed with numpy. */
import { readFileSync } from "node:fs";
import { goldenRows, type GoldenRows } from "./golden.testing.ts";
import { type Rows, rowsOf } from "./rows.ts";

interface Learned {
  readonly ratio: number;
  readonly near: number;
  readonly nearShare: number;
}

export interface NeighboursGolden {
  readonly name: string;
  readonly d: number;
  readonly blocks: number;
  /** Seed of 20 directions. */
  readonly directions: number;
  readonly a: GoldenRows;
  readonly b: GoldenRows;
  readonly kid: number;
  readonly standardError: number;
  readonly sliced: number;
  readonly balls: readonly (Readonly<Record<"precision" | "recall" | "density" | "coverage", number>> & {
    readonly k: number;
  })[];
  readonly memorisation: {
    readonly heldOut: Learned;
    readonly training: Learned;
    readonly indices: readonly number[];
  };
}

export const NEIGHBOURS_GOLDEN = JSON.parse(
  readFileSync(new URL("neighbours-golden.json", import.meta.url), "utf8"),
) as readonly NeighboursGolden[];

/** Generated and real rows of a case. */
export function goldenSets({ a, b, d }: NeighboursGolden): readonly [Rows, Rows] {
  return [rowsOf(goldenRows(a, d), a.n), rowsOf(goldenRows(b, d), b.n)];
}

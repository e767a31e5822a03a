/** @module Sets of rows for tests. */
import { rng } from "onnxgrad";
import { type Rows, rowsOf } from "./rows.ts";

/** Standard normal rows [n, d], each changed by `change`. */
export function normalRows(
  seed: number,
  n: number,
  d: number,
  change = (value: number, _k: number) => value,
): Rows {
  const data = rng(seed, "rows").fillNormal(new Float32Array(n * d));
  return rowsOf(
    data.map((value, i) => change(value, i % d)),
    n,
  );
}

/** The rows by these numbers. */
export function pickRows({ chunks, dimensions: d }: Rows, order: ArrayLike<number>): Rows {
  const data = Float32Array.from(
    { length: order.length * d },
    (_, i) => chunks[0]![order[Math.floor(i / d)]! * d + (i % d)]!,
  );
  return rowsOf(data, order.length);
}

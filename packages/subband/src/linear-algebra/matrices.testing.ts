/** @module Matrices whose eigenvalues are known, for the tests of the room. */
import { rng } from "onnxgrad";

/** `Q diag(values) Q^T`, [d, d], of an orthogonal Q that depends on (seed, d) alone: three reflections of random vectors. */
export function withEigenvalues(values: ArrayLike<number>, seed: number): Float64Array {
  const d = values.length;
  const matrix = new Float64Array(d * d);
  for (let i = 0; i < d; i++) matrix[i * d + i] = values[i]!;
  for (const index of [0, 1, 2]) {
    const v = rng(seed, "reflection", index).fillNormal(new Float64Array(d));
    const square = v.reduce((sum, value) => sum + value * value, 0);
    // H A H of H = I - 2 v v^T / |v|^2, as A - v w^T - w v^T.
    const w = new Float64Array(d);
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) w[i]! += (2 / square) * matrix[i * d + j]! * v[j]!;
    const along = w.reduce((sum, value, i) => sum + value * v[i]!, 0) / square;
    for (let i = 0; i < d; i++) w[i]! -= along * v[i]!;
    for (let i = 0; i < d; i++)
      for (let j = 0; j < d; j++) matrix[i * d + j]! -= v[i]! * w[j]! + w[i]! * v[j]!;
  }
  return matrix;
}

/** Rows [rows, columns] of independent standard normal numbers. */
export function normalMatrix(rows: number, columns: number, seed: number): Float64Array {
  return rng(seed, "matrix").fillNormal(new Float64Array(rows * columns));
}

/** `A B` of [m, k] and [k, n], in the plainest way. */
export function product(a: Float64Array, b: Float64Array, [m, k, n]: readonly [number, number, number]) {
  const c = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let t = 0; t < k; t++) for (let j = 0; j < n; j++) c[i * n + j]! += a[i * k + t]! * b[t * n + j]!;
  return c;
}

export function transposed(a: Float64Array, rows: number, columns: number): Float64Array {
  return Float64Array.from(a, (_, i) => a[(i % rows) * columns + Math.floor(i / rows)]!);
}

/** From `largest` down through `decades`, evenly in the logarithm, [d]. */
export function decaying(d: number, decades: number, largest = 1): Float64Array {
  return Float64Array.from({ length: d }, (_, i) => largest * 10 ** ((-decades * i) / Math.max(1, d - 1)));
}

/** @module Eigenvalues, and eigenvectors where asked, of a symmetric tridiagonal matrix: QL with implicit shifts. */
import { invariant } from "onnxgrad";

/** Steps for one eigenvalue before the search is given up; 2 or 3 are usual. */
const MOST_STEPS = 100;

/**
 * Overwrites `diagonal`, [n], with the eigenvalues, in no order, of the matrix with that diagonal and `beside`, [n], beside it
 * (`beside[i]` couples i and i + 1; the last is not read). Errors are of the size of rounding of the largest. `vectors`,
 * [n, m] row-major, is multiplied from the left by the transposed eigenvectors: with the identity, row i becomes that of
 * `diagonal[i]`. `beside` is used up. EISPACK's `tql2` (Bowdler, Martin, Reinsch and Wilkinson 1968).
 */
export function tridiagonalEigen(diagonal: Float64Array, beside: Float64Array, vectors?: Float64Array): void {
  const n = diagonal.length;
  if (n === 0) return;
  const m = vectors === undefined ? 0 : vectors.length / n;
  let norm = 0;
  for (let i = 0; i < n; i++) norm = Math.max(norm, Math.abs(diagonal[i]!) + Math.abs(beside[i] ?? 0));
  const negligible = norm * Number.EPSILON;
  for (let l = 0; l < n; l++)
    for (let steps = 0; ; steps++) {
      let end = l;
      while (end < n - 1 && Math.abs(beside[end]!) > negligible) end++;
      if (end === l) break;
      invariant(steps < MOST_STEPS, "QL does not converge; are there values that are not numbers?");
      sweep(diagonal, beside, l, end, vectors, m);
    }
}

/** One implicit QL step on rows l..end, which shrinks `beside[l]`. */
function sweep(
  diagonal: Float64Array,
  beside: Float64Array,
  l: number,
  end: number,
  vectors: Float64Array | undefined,
  m: number,
): void {
  // Wilkinson's shift: the eigenvalue of the first 2 x 2 block that is nearer to its corner.
  const half = (diagonal[l + 1]! - diagonal[l]!) / (2 * beside[l]!);
  const root = Math.sqrt(half * half + 1);
  let g = diagonal[end]! - diagonal[l]! + beside[l]! / (half + (half < 0 ? -root : root));
  let [s, c, p] = [1, 1, 0];
  for (let i = end - 1; i >= l; i--) {
    const f = s * beside[i]!;
    const b = c * beside[i]!;
    const r = Math.sqrt(f * f + g * g);
    beside[i + 1] = r;
    if (r === 0) {
      diagonal[i + 1]! -= p;
      beside[end] = 0;
      return;
    }
    s = f / r;
    c = g / r;
    g = diagonal[i + 1]! - p;
    const t = (diagonal[i]! - g) * s + 2 * c * b;
    p = s * t;
    diagonal[i + 1] = g + p;
    g = c * t - b;
    if (vectors !== undefined) rotate(vectors, i * m, (i + 1) * m, m, c, s);
  }
  diagonal[l]! -= p;
  beside[l] = g;
  beside[end] = 0;
}

/** Turns two rows of `m` values, which begin at `p` and `q`. */
function rotate(rows: Float64Array, p: number, q: number, m: number, c: number, s: number): void {
  for (let j = 0; j < m; j++) {
    const x = rows[p + j]!;
    const y = rows[q + j]!;
    rows[p + j] = c * x - s * y;
    rows[q + j] = s * x + c * y;
  }
}

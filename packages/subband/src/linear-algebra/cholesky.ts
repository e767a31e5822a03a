/** @module Cholesky factor of a symmetric positive semidefinite matrix, singular ones included, with complete pivoting. */
import { addRowProducts } from "./row-products.ts";

/** `A = L L^T`. */
export interface CholeskyFactor {
  /** Numerical rank r of A: columns of L. */
  readonly rank: number;
  /** `L^T`, [rank, d]: row t is column t of L; its entry i belongs to row `order[i]` of A, and is 0 for i < t. */
  readonly transposed: Float64Array;
  /** Rows of A in the order of their pivots; the first `rank` of them span its range. */
  readonly order: Uint32Array;
}

/** Columns that are found before the rest of the matrix is updated with all of them. */
const PANEL = 64;

/**
 * The pivoted factor of `a`, [d, d], of which the lower triangle is read. Each pivot is the row with the largest part of its
 * own diagonal entry left, so that units of features do not matter; what is left of a row counts as rounding below
 * `d * 2^-52` of its diagonal entry. A negative direction of that size is rounding as well; a larger one is dropped: A is to
 * be positive semidefinite. As LAPACK's `dpstrf` (Lucas 2004; Higham, Accuracy and Stability, section 10.3).
 */
export function choleskyFactor(a: Float64Array, d: number): CholeskyFactor {
  const scale = Float64Array.from({ length: d }, (_, i) => {
    const variance = a[i * d + i]!;
    return variance > 0 ? 1 / Math.sqrt(variance) : 0;
  });
  const m = new Float64Array(d * d);
  for (let i = 0; i < d; i++)
    for (let j = 0; j <= i; j++) m[i * d + j] = a[i * d + j]! * scale[i]! * scale[j]!;
  const order = Uint32Array.from({ length: d }, (_, i) => i);
  const left = new Float64Array(d); // of the diagonal, after the columns found so far
  const negligible = d * Number.EPSILON;
  let rank = 0;
  panels: for (let first = 0; first < d; first += PANEL) {
    const last = Math.min(d, first + PANEL);
    for (let i = first; i < d; i++) left[i] = m[i * d + i]!;
    for (let k = first; k < last; k++) {
      let pivot = k;
      for (let i = k + 1; i < d; i++) if (left[i]! > left[pivot]!) pivot = i;
      if (!(left[pivot]! > negligible)) break panels;
      if (pivot !== k) {
        swap(m, d, k, pivot);
        exchange(left, k, pivot);
        exchange(order, k, pivot);
      }
      const root = Math.sqrt(left[k]!);
      m[k * d + k] = root;
      for (let i = k + 1; i < d; i++) {
        let value = m[i * d + k]!;
        for (let t = first; t < k; t++) value -= m[i * d + t]! * m[k * d + t]!;
        value /= root;
        m[i * d + k] = value;
        left[i]! -= value * value;
      }
      rank++;
    }
    const rest = { data: m, at: last * d + first, stride: d };
    const corner = { ...rest, at: last * d + last };
    addRowProducts(corner, rest, rest, [d - last, d - last, last - first], { factor: -1, lower: true });
  }
  const transposed = new Float64Array(rank * d);
  for (let i = 0; i < d; i++) {
    const deviation = scale[order[i]!]! > 0 ? 1 / scale[order[i]!]! : 0;
    for (let t = 0; t < rank && t <= i; t++) transposed[t * d + i] = m[i * d + t]! * deviation;
  }
  return { rank, transposed, order };
}

/** Exchanges rows and columns j < k of a symmetric matrix, of which only the lower triangle is there. */
function swap(m: Float64Array, d: number, j: number, k: number): void {
  for (let t = 0; t < j; t++) exchange(m, j * d + t, k * d + t);
  exchange(m, j * d + j, k * d + k);
  for (let t = j + 1; t < k; t++) exchange(m, t * d + j, k * d + t);
  for (let t = k + 1; t < d; t++) exchange(m, t * d + j, t * d + k);
}

function exchange(values: Float64Array | Uint32Array, i: number, j: number): void {
  const held = values[i]!;
  values[i] = values[j]!;
  values[j] = held;
}

/** @module Singular values of a matrix: Householder bidiagonalisation, then the eigenvalues of a tridiagonal matrix. */
import { normalised, reflect } from "./householder.ts";
import { tridiagonalEigen } from "./tridiagonal-eigen.ts";

/**
 * Singular values of `a`, [rows, columns] row-major, largest first, min(rows, columns) of them. Errors are of the size of
 * rounding of the largest (the eigenvalues of A^T A would lose half the digits of small ones). Golub and Kahan 1965: with
 * A = U B V^T and B bidiagonal, (0, B; B^T, 0) is a tridiagonal matrix in another order, with eigenvalues +s and -s.
 */
export function singularValues(a: Float64Array, rows: number, columns: number): Float64Array {
  if (rows < columns) {
    const turned = new Float64Array(a.length);
    for (let i = 0; i < rows; i++)
      for (let j = 0; j < columns; j++) turned[j * rows + i] = a[i * columns + j]!;
    return singularValues(turned, columns, rows);
  }
  const { scaled, unit } = normalised(a);
  const beside = bidiagonal(scaled, rows, columns);
  const both = new Float64Array(2 * columns);
  tridiagonalEigen(both, beside);
  return both
    .sort()
    .reverse()
    .slice(0, columns)
    .map((value) => unit * Math.max(0, value));
}

/**
 * Diagonal and superdiagonal of B, one after the other in turns, [2 columns]. What a pair of reflections does to the matrix is
 * not written into it until the pass that multiplies it by the next ones: two passes a column, four rows at a time.
 */
function bidiagonal(a: Float64Array, rows: number, columns: number): Float64Array {
  const result = new Float64Array(2 * columns);
  const m = new Float64Array((rows + 3) * columns); // rows of zeros fill up the last four
  m.set(a);
  const vector = (length: number): Float64Array => new Float64Array(length + 3);
  let [u, uNext, y] = [vector(rows), vector(rows), vector(rows)];
  let [x, xNext, v] = [vector(columns), vector(columns), vector(columns)];
  for (let k = 0; k < columns; k++) {
    for (let i = k; i < rows; i++) uNext[i] = m[i * columns + k]! - u[i]! * x[k]! - y[i]! * v[k]!;
    const left = reflect(uNext, k, rows);
    result[2 * k] = left.value;
    if (k === columns - 1) break;
    xNext.fill(0);
    updateAndAdd(m, columns, [k, rows], [u, x, y, v], uNext, xNext);
    for (let j = k + 1; j < columns; j++) {
      xNext[j]! *= left.factor;
      v[j] = m[k * columns + j]! - xNext[j]!;
    }
    const right = reflect(v, k + 1, columns);
    result[2 * k + 1] = right.value;
    [u, uNext, x, xNext] = [uNext, u, xNext, x];
    multiply(m, columns, [k + 1, rows], v, y);
    let along = 0;
    for (let j = k + 1; j < columns; j++) along += x[j]! * v[j]!;
    for (let i = k + 1; i < rows; i++) y[i] = right.factor * (y[i]! - u[i]! * along);
  }
  return result;
}

/** `A -= u x^T + y v^T`, then `sum += A^T by`, over rows from..to and the columns after `from`. */
function updateAndAdd(
  m: Float64Array,
  columns: number,
  [from, to]: readonly [number, number],
  [u, x, y, v]: readonly [Float64Array, Float64Array, Float64Array, Float64Array],
  by: Float64Array,
  sum: Float64Array,
): void {
  for (let i = from; i < to; i += 4) {
    const [u0, u1, u2, u3] = [u[i]!, u[i + 1]!, u[i + 2]!, u[i + 3]!];
    const [y0, y1, y2, y3] = [y[i]!, y[i + 1]!, y[i + 2]!, y[i + 3]!];
    const [b0, b1, b2, b3] = [by[i]!, by[i + 1]!, by[i + 2]!, by[i + 3]!];
    const p0 = i * columns;
    const [p1, p2, p3] = [p0 + columns, p0 + 2 * columns, p0 + 3 * columns];
    for (let j = from + 1; j < columns; j++) {
      const xj = x[j]!;
      const vj = v[j]!;
      const a0 = m[p0 + j]! - u0 * xj - y0 * vj;
      m[p0 + j] = a0;
      const a1 = m[p1 + j]! - u1 * xj - y1 * vj;
      m[p1 + j] = a1;
      const a2 = m[p2 + j]! - u2 * xj - y2 * vj;
      m[p2 + j] = a2;
      const a3 = m[p3 + j]! - u3 * xj - y3 * vj;
      m[p3 + j] = a3;
      sum[j]! += b0 * a0 + b1 * a1 + b2 * a2 + b3 * a3;
    }
  }
}

/** `product = A by`, over rows from..to and the columns from `from` on. */
function multiply(
  m: Float64Array,
  columns: number,
  [from, to]: readonly [number, number],
  by: Float64Array,
  product: Float64Array,
): void {
  for (let i = from; i < to; i += 4) {
    const p0 = i * columns;
    const [p1, p2, p3] = [p0 + columns, p0 + 2 * columns, p0 + 3 * columns];
    let [s0, s1, s2, s3] = [0, 0, 0, 0];
    for (let j = from; j < columns; j++) {
      const b = by[j]!;
      s0 += m[p0 + j]! * b;
      s1 += m[p1 + j]! * b;
      s2 += m[p2 + j]! * b;
      s3 += m[p3 + j]! * b;
    }
    product[i] = s0;
    product[i + 1] = s1;
    product[i + 2] = s2;
    product[i + 3] = s3;
  }
}

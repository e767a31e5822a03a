/** @module tr((A B)^1/2) of two positive semidefinite matrices, the term of the Frechet distance that takes work. */
import { type CholeskyFactor, choleskyFactor } from "./cholesky.ts";
import { addRowProducts } from "./row-products.ts";
import { singularValues } from "./singular-values.ts";

/**
 * `tr((A B)^1/2)` of symmetric positive semidefinite `a` and `b`, [d, d], singular or not. With A = L L^T and B = M M^T, the
 * eigenvalues of A B are the squared singular values of L^T M: their sum is found without squaring anything, to rounding of
 * the largest, where a square root of A B (scipy's `sqrtm`) has half the digits when A or B is nearly singular. 2,048 x 2,048
 * takes some 15 seconds of one core.
 */
export function traceSqrt(a: Float64Array, b: Float64Array, d: number): number {
  return traceSqrtOfFactors(choleskyFactor(a, d), choleskyFactor(b, d), d);
}

/** The same of their factors: a matrix that is compared with many is factored once. */
export function traceSqrtOfFactors(a: CholeskyFactor, b: CholeskyFactor, d: number): number {
  return singularValues(factorProduct(a, b, d), a.rank, b.rank).reduceRight((sum, value) => sum + value, 0);
}

/** `L^T M` of the factors of A = L L^T and B = M M^T, [rank of A, rank of B]. */
export function factorProduct(a: CholeskyFactor, b: CholeskyFactor, d: number): Float64Array {
  const place = new Uint32Array(d);
  b.order.forEach((row, i) => (place[row] = i));
  const other = new Float64Array(b.rank * d); // M^T with its columns in the order of L^T
  for (let t = 0; t < b.rank; t++)
    for (let i = 0; i < d; i++) other[t * d + i] = b.transposed[t * d + place[a.order[i]!]!]!;
  const product = new Float64Array(a.rank * b.rank);
  // Row i of L^T begins with i zeros: rows are taken in groups, and what is 0 in all of a group left out.
  for (let i = 0; i < a.rank; i += 64)
    addRowProducts(
      { data: product, at: i * b.rank, stride: b.rank },
      { data: a.transposed, at: i * d + i, stride: d },
      { data: other, at: i, stride: d },
      [Math.min(64, a.rank - i), b.rank, d - i],
    );
  return product;
}

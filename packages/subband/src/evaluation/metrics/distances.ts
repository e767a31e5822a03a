/**
 * @module Squared distances of all pairs of rows, to the bit what float64 gives: products in float32 tell those that cannot
 * matter, and how near the others are is then computed from the rows.
 */
import type { Backend } from "onnxgrad";
import type { Pairwise } from "./pairwise.ts";
import type { Rows } from "./rows.ts";

/** Distances of some rows of the first set from some of the second. */
export interface DistanceBlock {
  /** Index of the first row of either set. */
  readonly first: readonly [number, number];
  /** Rows of either set. */
  readonly count: readonly [number, number];
  /** No square is less: of rows i and j of the block. */
  least(i: number, j: number): number;
  /** No square is more. */
  most(i: number, j: number): number;
  /** The square, summed in float64 in the order of the features: the same for (i, j) and (j, i). */
  square(i: number, j: number): number;
}

/** Visits the distances of all pairs of rows of `a` and `b`, in the order of {@link Pairwise.products}. */
export async function visitDistances(
  { processor }: Pick<Backend, "processor">,
  pairwise: Pairwise,
  a: Rows,
  b: Rows,
  visit: (block: DistanceBlock) => void,
): Promise<void> {
  const d = a.dimensions;
  // Squares are sums of what nearly cancels: less does where rows are about their mean.
  const centre = meanOf(b);
  const norms = [squaredNorms(a, centre), squaredNorms(b, centre)] as const;
  const largest = norms.reduce((most, each) => each.reduce((x, y) => Math.max(x, y), most), 0);
  // A power of two, which rounds nothing: products neither overflow nor vanish.
  const scale = 2 ** -Math.ceil(Math.log2(Math.sqrt(largest || 1)));
  const twice = 2 / scale ** 2;
  // A product of float32 is off by at most (d + 4) 2^-24 |x| |y|, rounding of centred rows included; GPUs may keep 11 bits of
  // a factor. Of norms too small for float32 it is 0.
  const slack = 2 * (d + 4) * 2 ** -24 + (processor === "gpu" ? 2 ** -9 : 0);
  const under = largest * d * 2 ** -120;
  await pairwise.products(
    a,
    b,
    ({ first, count, products, stride, rows: [x, y] }) => {
      const [above, across] = [norms[0].subarray(first[0]), norms[1].subarray(first[1])];
      visit({
        first,
        count,
        least: (i, j) => (1 - slack) * (above[i]! + across[j]!) - twice * products[i * stride + j]! - under,
        most: (i, j) => (1 + slack) * (above[i]! + across[j]!) - twice * products[i * stride + j]! + under,
        square(i, j) {
          let sum = 0;
          for (let k = 0; k < d; k++) sum += (x[i * d + k]! - y[j * d + k]!) ** 2;
          return sum;
        },
      });
    },
    { centre, scale },
  );
}

/** Mean of the rows, [d]. */
function meanOf({ chunks, count, dimensions: d }: Rows): Float32Array {
  const mean = new Float64Array(d);
  for (const chunk of chunks)
    for (let i = 0; i < chunk.length; i += d) for (let k = 0; k < d; k++) mean[k]! += chunk[i + k]! / count;
  return Float32Array.from(mean);
}

/** Squared distance of every row from `centre`, [count]. */
function squaredNorms({ chunks, count, dimensions: d }: Rows, centre: Float32Array): Float64Array {
  const norms = new Float64Array(count);
  let row = 0;
  for (const chunk of chunks)
    for (let i = 0; i < chunk.length; i += d, row++)
      for (let k = 0; k < d; k++) norms[row]! += (chunk[i + k]! - centre[k]!) ** 2;
  return norms;
}

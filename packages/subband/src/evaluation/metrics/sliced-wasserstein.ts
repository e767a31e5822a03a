/** @module The sliced Wasserstein distance: how far two sets of rows are apart along directions drawn at random. */
import { type Backend, rng } from "onnxgrad";
import type { Metric } from "./metric.ts";
import { type Pairwise, withPairwise } from "./pairwise.ts";
import { copyRows, requireCount, requireSameFeatures, type Rows, rows, rowsOf } from "./rows.ts";

/** What {@link slicedWasserstein} gives. */
export interface SlicedDistance {
  /** The root of the mean of W2^2 over the projections, in the unit of the features. */
  readonly distance: number;
  readonly projections: number;
  readonly seed: number;
  readonly generated: number;
  readonly real: number;
}

/** Directions at once, and rows: two sets of 50,000 rows need 6 MB, a million coefficients of either 128 MB. */
const BLOCK = [16, 4096] as const;

/**
 * The sliced 2-Wasserstein distance to `reference` (Bonneel et al. 2015): along each of `projections` directions, drawn evenly
 * from the sphere by `seed`, the exact distance of the projected sets, which are coupled in order, by quantiles where their
 * sizes differ. Rows that are all moved by mu are |mu| / sqrt(d) apart. Finite sets of one distribution are not at 0: compare sets
 * of equal size, and with that of two real ones.
 * @throws UserError `metric/few` when `result` is asked of no rows.
 */
export function slicedWasserstein(
  backend: Backend,
  reference: Rows,
  { projections = 1000, seed = 0 }: { readonly projections?: number; readonly seed?: number } = {},
): Metric<Rows, Promise<SlicedDistance>> {
  const along = directions(reference.dimensions, projections, seed);
  return rows(reference.dimensions, async (generated) => ({
    distance: await slicedDistance(backend, generated, reference, along),
    ...{ projections, seed, generated: generated.count, real: reference.count },
  }));
}

/** The root of the mean of W2^2 of `a` and `b` projected onto each of `along`, rows of length 1. */
export async function slicedDistance(backend: Backend, a: Rows, b: Rows, along: Rows): Promise<number> {
  requireSameFeatures(a, b);
  requireSameFeatures(a, along);
  requireCount("A sliced Wasserstein distance", 1, a, b);
  const d = a.dimensions;
  const total = await withPairwise(
    backend,
    d,
    async (pairwise) => {
      let sum = 0;
      for (let first = 0; first < along.count; first += BLOCK[0]) {
        const count = Math.min(BLOCK[0], along.count - first);
        const some = rowsOf(copyRows(along, first, count), count);
        const [x, y] = [await project(pairwise, some, a), await project(pairwise, some, b)];
        for (let i = 0; i < count; i++)
          sum += coupledSquares(
            x.subarray(i * a.count, (i + 1) * a.count).sort(),
            y.subarray(i * b.count, (i + 1) * b.count).sort(),
          );
      }
      return sum;
    },
    BLOCK,
  );
  return Math.sqrt(total / along.count);
}

/** Directions drawn evenly from the sphere, [count, d]. */
function directions(d: number, count: number, seed: number): Rows {
  const data = rng(seed, "projections").fillNormal(new Float32Array(count * d));
  for (let i = 0; i < count; i++) {
    const direction = data.subarray(i * d, (i + 1) * d);
    const length = Math.sqrt(direction.reduce((sum, value) => sum + value * value, 0));
    for (let k = 0; k < d; k++) direction[k]! /= length;
  }
  return rowsOf(data, count);
}

/** Projections of all rows onto each direction, [directions, rows]. */
async function project(pairwise: Pairwise, along: Rows, set: Rows): Promise<Float32Array> {
  const projected = new Float32Array(along.count * set.count);
  await pairwise.products(along, set, ({ first, count, products, stride }) => {
    for (let i = 0; i < count[0]; i++)
      projected.set(products.subarray(i * stride, i * stride + count[1]), i * set.count + first[1]);
  });
  return projected;
}

/** W2^2 of two sets of numbers, ascending, of any sizes: the integral over q of the squared difference of their quantiles. */
function coupledSquares(x: Float32Array, y: Float32Array): number {
  const [n, m] = [x.length, y.length];
  let [i, j, at, sum] = [0, 0, 0, 0];
  // Quantiles in units of 1 / (n m): x[i] reaches to (i + 1) m, y[j] to (j + 1) n.
  while (i < n && j < m) {
    const [ends, otherEnds] = [(i + 1) * m, (j + 1) * n];
    const end = Math.min(ends, otherEnds);
    sum += (end - at) * (x[i]! - y[j]!) ** 2;
    at = end;
    if (ends === end) i++;
    if (otherEnds === end) j++;
  }
  return sum / (n * m);
}

/**
 * @module Blind residuals known in closed form, the yardsticks of the ascent samplers: images that vary in a few
 * directions only, and images that are one of a few. As for natural images, the noise level shows in what the images
 * cannot be.
 */
import type { State } from "../denoiser.ts";
import type { Gaussian } from "../gaussian.testing.ts";
import type { Residual } from "./residual.ts";

/** A Gaussian of low rank: `variances` [r] along the orthonormal rows of `basis` [r, d], 0 across them, r < d. */
export type LowRankGaussian = Gaussian & { readonly basis: ArrayLike<number> };

/**
 * `y - mean - sum_k v_k / (v_k + s^2) a_k q_k` with `a_k = q_k (y - mean)`: the ideal residual of level s, where s^2 is
 * the mean square of y across the basis, which holds noise only.
 */
export function lowRankResidual<T extends State>({ mean, variances, basis }: LowRankGaussian): Residual<T> {
  const [d, rank] = [mean.length, variances.length];
  return (y) => {
    const out = y.slice() as T;
    const along = new Float64Array(rank);
    for (let from = 0; from < y.length; from += d) {
      let total = 0;
      along.fill(0);
      for (let j = 0; j < d; j++) {
        const deviation = y[from + j]! - mean[j]!;
        out[from + j] = deviation;
        total += deviation * deviation;
        for (let k = 0; k < rank; k++) along[k] = along[k]! + basis[k * d + j]! * deviation;
      }
      for (let k = 0; k < rank; k++) total -= along[k]! * along[k]!;
      const noise = Math.max(total, 0) / (d - rank);
      for (let k = 0; k < rank; k++) {
        const kept = (along[k]! * variances[k]!) / (variances[k]! + noise + Number.MIN_VALUE);
        for (let j = 0; j < d; j++) out[from + j] = out[from + j]! - kept * basis[k * d + j]!;
      }
    }
    return out;
  };
}

/**
 * The ideal blind residual of images that are `points[k]` [d] with probability `weights[k]`, all levels being equally
 * likely in ln sigma: integrating the level out leaves `p(k | y) ~ weights[k] |y - points[k]|^-d`.
 */
export function pointMassResidual<T extends State>(
  points: readonly ArrayLike<number>[],
  weights: readonly number[],
): Residual<T> {
  const d = points[0]!.length;
  return (y) => {
    const out = y.slice() as T;
    for (let from = 0; from < y.length; from += d) {
      const logs = points.map((point, k) => {
        let square = 0;
        for (let j = 0; j < d; j++) square += (y[from + j]! - point[j]!) ** 2;
        return Math.log(weights[k]!) - (d / 2) * Math.log(square + Number.MIN_VALUE);
      });
      const most = Math.max(...logs);
      const shares = logs.map((log) => Math.exp(log - most));
      const total = shares.reduce((sum, share) => sum + share, 0);
      for (const [k, point] of points.entries())
        for (let j = 0; j < d; j++) out[from + j] = out[from + j]! - (shares[k]! / total) * point[j]!;
    }
    return out;
  };
}

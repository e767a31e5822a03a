/**
 * @module A Gaussian data distribution, for which the ideal denoiser, the probability-flow path and the moments at every
 * noise level are known in closed form: the yardstick that samplers and denoisers are measured against.
 */
import type { Denoiser, State } from "./denoiser.ts";

/** `N(mean, Q diag(variances) Q')` in d dimensions. */
export interface Gaussian {
  readonly mean: ArrayLike<number>; // [d]
  readonly variances: ArrayLike<number>; // [d], each >= 0
  /** Orthonormal eigenvectors, one a row: the rows of Q'. Left out: the axes, so the covariance is diagonal. */
  readonly basis?: ArrayLike<number>; // [d, d]
}

/** The exact denoiser `mean + C (C + sigma^2 I)^-1 (x - mean)` for flat batches of d-vectors. */
export function gaussianDenoiser<T extends State>(gaussian: Gaussian): Denoiser<T> {
  return (x, sigma) => shrink(gaussian, x, (variance) => variance / (variance + sigma * sigma));
}

/**
 * The exact solution of the probability-flow ODE `dx/dsigma = (x - D) / sigma` from `x` at level `from` to level `to`:
 * along an eigenvector of variance v the distance to the mean scales by `sqrt((v + to^2) / (v + from^2))`.
 */
export function gaussianFlow<T extends State>(gaussian: Gaussian, x: T, from: number, to: number): T {
  return shrink(gaussian, x, (variance) => Math.sqrt((variance + to * to) / (variance + from * from)));
}

/** `mean + Q diag(factor(variances)) Q' (x - mean)` for each d-vector of a flat batch. */
function shrink<T extends State>(gaussian: Gaussian, x: T, factor: (variance: number) => number): T {
  const { mean, variances, basis } = gaussian;
  const d = mean.length;
  const factors = Array.from(variances, factor);
  const out = x.slice() as T;
  for (let start = 0; start < x.length; start += d) {
    if (basis === undefined) {
      for (let j = 0; j < d; j++) out[start + j] = mean[j]! + factors[j]! * (x[start + j]! - mean[j]!);
      continue;
    }
    const moved = new Float64Array(d);
    for (let k = 0; k < d; k++) {
      let along = 0;
      for (let j = 0; j < d; j++) along += basis[k * d + j]! * (x[start + j]! - mean[j]!);
      for (let j = 0; j < d; j++) moved[j] = moved[j]! + factors[k]! * along * basis[k * d + j]!;
    }
    for (let j = 0; j < d; j++) out[start + j] = mean[j]! + moved[j]!;
  }
  return out;
}

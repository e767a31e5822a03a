/**
 * @module Conversions between the variance-preserving state `sqrt(abar) x0 + sqrt(1 - abar) n` and the
 * variance-exploding one `x0 + sigma n`: they differ by the scale `sqrt(abar)`, with `sigma^2 = (1 - abar) / abar`.
 */

/** Noise level sigma >= 0 of the signal fraction `abar` in (0, 1]. */
export function sigmaFromAbar(abar: number): number {
  return Math.sqrt((1 - abar) / abar);
}

/** Signal fraction `abar = 1 / (1 + sigma^2)`, the cumulative product of DDPM (Ho et al. 2020, eq. 4). */
export function abarFromSigma(sigma: number): number {
  return 1 / (1 + sigma * sigma);
}

/** The scale `s = sqrt(abar)` that takes a variance-exploding state to the variance-preserving one: `xVp = s x`. */
export function vpScale(sigma: number): number {
  return 1 / Math.hypot(1, sigma);
}

/** Standard deviation `sqrt(1 - abar)` of the noise in the variance-preserving state. */
export function vpNoise(sigma: number): number {
  return sigma / Math.hypot(1, sigma);
}

/**
 * @module The step sizes of stochastic ascent and the noise that goes with them: h_t, gamma_t and the number of steps
 * they take from one noise level to another (Kadkhodaie and Simoncelli 2021, algorithm 1). Plain numbers.
 */

/** What fixes the pace of the ascent. */
export interface AscentPace {
  /** First step size, in (0, 1]: the share of the predicted noise that a step removes; default 0.01. */
  readonly h0?: number;
  /**
   * In (0, 1]. A step shrinks the noise level by the factor `1 - beta h`: 1 adds no noise and is deterministic, less
   * adds more noise, takes more steps and explores more; default 0.1.
   */
  readonly beta?: number;
  /** Whether steps grow towards 1 as `h0 t / (1 + h0 (t - 1))`; false keeps h0. Default true. */
  readonly rising?: boolean;
}

/** Step size of step t = 1, 2, ... */
export function stepSize({ h0 = 0.01, rising = true }: AscentPace, t: number): number {
  return rising ? (h0 * t) / (1 + h0 * (t - 1)) : h0;
}

/**
 * Standard deviation of the noise added by a step of size `h` at unit noise level. What is left of the old noise has
 * `(1 - h)^2`, the new brings the sum to `(1 - beta h)^2`.
 */
export function injectedNoise({ beta = 0.1 }: AscentPace, h: number): number {
  // (1 - beta h)^2 - (1 - h)^2, as a product: no cancellation, and exactly 0 for beta = 1.
  return Math.sqrt(h * (1 - beta) * (2 - (1 + beta) * h));
}

/** How many steps bring the noise level from `from` to `to` or below, with a denoiser that predicts the noise exactly. */
export function stepsBetween(pace: AscentPace, from: number, to: number): number {
  const { beta = 0.1 } = pace;
  let level = from;
  let steps = 0;
  while (level > to) level *= 1 - beta * stepSize(pace, ++steps);
  return steps;
}

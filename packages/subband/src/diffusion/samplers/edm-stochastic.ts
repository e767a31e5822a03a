/**
 * @module The stochastic sampler of EDM (Karras et al. 2022, algorithm 2): each step first adds a little noise, then
 * takes a Heun step from the raised level. Two evaluations a step except the step to 0: 2 N - 1 in all. Raising the
 * level exactly and solving the ODE to order 2 leaves the distribution with an error of order 2 where churnNoise is 1.
 */
import type { Denoiser, State } from "../denoiser.ts";
import { heunStep } from "./heun.ts";
import { atLevel, runPlan, type SampleOptions, type SamplingPlan, sigmaPairs } from "./plan.ts";

/** Settings of the EDM stochastic sampler; the defaults are the paper's for ImageNet-64 (table 5). */
export interface EdmStochasticSettings {
  /** S_churn: total amount of noise added, spread over the steps; default 40. 0 gives Heun's method. */
  readonly churn?: number;
  /** S_min: least level where noise is added; default 0.05. */
  readonly churnMin?: number;
  /** S_max: greatest level where noise is added; default 50. */
  readonly churnMax?: number;
  /** S_noise: standard deviation of the added noise relative to the exact one; default 1.003. */
  readonly churnNoise?: number;
}

/** The calls of the EDM stochastic sampler down `sigmas`. */
export function planEdmStochastic(
  sigmas: readonly number[],
  settings: EdmStochasticSettings = {},
): SamplingPlan {
  const { churn = 40, churnMin = 0.05, churnMax = 50, churnNoise = 1.003 } = settings;
  const pairs = sigmaPairs(sigmas);
  return pairs.flatMap(([sigma, next], step) => {
    const inside = sigma >= churnMin && sigma <= churnMax;
    const gamma = inside ? Math.min(churn / pairs.length, Math.SQRT2 - 1) : 0;
    const raised = sigma * (1 + gamma);
    return heunStep(step, raised, next, churnNoise * sigma * Math.sqrt(gamma * (2 + gamma)));
  });
}

/** Samples by {@link planEdmStochastic}; `x` is distributed as at `sigmas[0]`. */
export async function sampleEdmStochastic<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> & EdmStochasticSettings = {},
): Promise<T> {
  return runPlan(planEdmStochastic(sigmas, options), atLevel(denoise), x, options);
}

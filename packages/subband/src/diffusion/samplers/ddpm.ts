/**
 * @module Ancestral sampling of DDPM (Ho et al. 2020, algorithm 2): draws from the posterior q(x_next | x, x0) with the
 * prediction in the place of x0. In the variance-exploding state the posterior is the same for VP and VE. Weak order 1,
 * one evaluation a step, no noise in the step to 0.
 */
import type { Denoiser, State } from "../denoiser.ts";
import { atLevel, oneCallPlan, runPlan, type SampleOptions, type SamplingPlan } from "./plan.ts";

/** Settings of the ancestral sampler. */
export interface DdpmSamplerSettings {
  /**
   * Variance of a step: "posterior" (default), beta-tilde, right for data that are one point, or "beta", that of the
   * forward step, right for unit normal data: the lower and the upper bound (Ho et al. 2020, section 3.2).
   */
  readonly variance?: "posterior" | "beta";
}

/** The calls of ancestral sampling down `sigmas`. */
export function planDdpm(sigmas: readonly number[], settings: DdpmSamplerSettings = {}): SamplingPlan {
  const { variance = "posterior" } = settings;
  return oneCallPlan(sigmas, (sigma, next) => {
    // Ho et al. eq. 6-7 divided by sqrt(abar): mean r^2 x + (1 - r^2) x0, variance next^2 (1 - r^2), r = next / sigma.
    const keep = (next / sigma) ** 2;
    const posterior = next * Math.sqrt(1 - keep);
    // beta = 1 - abar / abarNext, divided by abarNext and written in sigmas; it exceeds beta-tilde by this ratio.
    const forward = posterior * (sigma / next) * Math.sqrt((1 + next * next) / (1 + sigma * sigma));
    return { a: keep, b: 1 - keep, noiseAfter: next === 0 ? 0 : variance === "beta" ? forward : posterior };
  });
}

/** Samples by {@link planDdpm}; `x` is distributed as at `sigmas[0]`. */
export async function sampleDdpm<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> & DdpmSamplerSettings = {},
): Promise<T> {
  return runPlan(planDdpm(sigmas, options), atLevel(denoise), x, options);
}

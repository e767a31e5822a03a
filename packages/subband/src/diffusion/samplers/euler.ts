/**
 * @module Euler's method on the probability-flow ODE `dx/dsigma = (x - D(x; sigma)) / sigma` (Karras et al. 2022,
 * eq. 3 with s = 1). Order 1, one evaluation a step; the step to 0 returns the prediction of the clean data.
 */
import type { Denoiser, State } from "../denoiser.ts";
import {
  atLevel,
  type CallFactors,
  oneCallPlan,
  runPlan,
  type SampleOptions,
  type SamplingPlan,
} from "./plan.ts";

/** The factors of `x' = x + (next - sigma) (x - D) / sigma`. */
export function eulerFactors(sigma: number, next: number): CallFactors {
  const ratio = next / sigma;
  return { a: ratio, b: 1 - ratio };
}

/** The calls of Euler's method down `sigmas`. */
export function planEuler(sigmas: readonly number[]): SamplingPlan {
  return oneCallPlan(sigmas, eulerFactors);
}

/** Samples by {@link planEuler}; `x` is distributed as at `sigmas[0]`. */
export async function sampleEuler<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> = {},
): Promise<T> {
  return runPlan(planEuler(sigmas), atLevel(denoise), x, options);
}

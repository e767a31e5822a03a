/**
 * @module Heun's method on the probability-flow ODE (Karras et al. 2022, algorithm 1). Order 2, two evaluations a step
 * except the step to 0, which is Euler's: 2 N - 1 in all.
 */
import type { Denoiser, State } from "../denoiser.ts";
import { eulerFactors } from "./euler.ts";
import {
  atLevel,
  type PlanCall,
  runPlan,
  type SampleOptions,
  type SamplingPlan,
  sigmaPairs,
} from "./plan.ts";

/**
 * One Heun step from `sigma` to `next`: the Euler call, and where `next > 0` the correcting call. With r = next / sigma
 * the trapezoidal rule of algorithm 1 collapses to `x' = xEuler + (1 - r) / (2 r) (D' - D)`.
 */
export function heunStep(step: number, sigma: number, next: number, noiseBefore: number): SamplingPlan {
  const ratio = next / sigma;
  const predict: PlanCall = {
    step,
    sigma,
    sigmaNext: next,
    ...eulerFactors(sigma, next),
    c: 0,
    noiseBefore,
    noiseAfter: 0,
  };
  if (next === 0) return [predict];
  const slope = (1 - ratio) / (2 * ratio);
  return [
    predict,
    { step, sigma: next, sigmaNext: next, a: 1, b: slope, c: -slope, noiseBefore: 0, noiseAfter: 0 },
  ];
}

/** The calls of Heun's method down `sigmas`. */
export function planHeun(sigmas: readonly number[]): SamplingPlan {
  return sigmaPairs(sigmas).flatMap(([sigma, next], step) => heunStep(step, sigma, next, 0));
}

/** Samples by {@link planHeun}; `x` is distributed as at `sigmas[0]`. */
export async function sampleHeun<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> = {},
): Promise<T> {
  return runPlan(planHeun(sigmas), atLevel(denoise), x, options);
}

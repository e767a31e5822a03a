/**
 * @module DPM-Solver++(2M) (Lu et al. 2022, "DPM-Solver++", algorithm 2): exponential integrator in lambda = -ln sigma,
 * the prediction extrapolated linearly from the last two calls. Order 2, one evaluation a step; the first step and the
 * step to 0, where lambda is infinite, are of order 1.
 */
import type { Denoiser, State } from "../denoiser.ts";
import { atLevel, oneCallPlan, runPlan, type SampleOptions, type SamplingPlan } from "./plan.ts";

/**
 * The calls of DPM-Solver++(2M) down `sigmas`: `x' = r x + (1 - r) ((1 + w) D - w Dprevious)` with `r = next / sigma`
 * and `w = h / (2 hPrevious)`, h being the step in lambda.
 */
export function planDpmpp2m(sigmas: readonly number[]): SamplingPlan {
  return oneCallPlan(sigmas, (sigma, next, step) => {
    const ratio = next / sigma;
    const before = sigmas[step - 1];
    const w =
      before === undefined || next === 0 ? 0 : Math.log(sigma / next) / (2 * Math.log(before / sigma));
    return { a: ratio, b: (1 - ratio) * (1 + w), c: w === 0 ? 0 : -(1 - ratio) * w };
  });
}

/** Samples by {@link planDpmpp2m}; `x` is distributed as at `sigmas[0]`. */
export async function sampleDpmpp2m<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> = {},
): Promise<T> {
  return runPlan(planDpmpp2m(sigmas), atLevel(denoise), x, options);
}

/**
 * @module DDIM (Song, Meng & Ermon 2021, eq. 12 and 16), from deterministic (eta 0) to ancestral (eta 1). Order 1, one
 * evaluation a step. In the variance-exploding state eta 0 is Euler's method in sigma (eq. 14).
 */
import { UserError } from "onnxgrad";
import type { Denoiser, State } from "../denoiser.ts";
import { atLevel, oneCallPlan, runPlan, type SampleOptions, type SamplingPlan } from "./plan.ts";

/** Settings of DDIM. */
export interface DdimSettings {
  /** Share of the ancestral noise, in [0, 1]; default 0, deterministic. */
  readonly eta?: number;
}

/**
 * The calls of DDIM down `sigmas`: `x' = D + sqrt(next^2 - s^2) (x - D) / sigma + s n` with
 * `s = eta next sqrt(1 - next^2 / sigma^2)`.
 * @throws UserError `diffusion/eta` outside [0, 1].
 */
export function planDdim(sigmas: readonly number[], settings: DdimSettings = {}): SamplingPlan {
  const { eta = 0 } = settings;
  if (!(eta >= 0 && eta <= 1))
    throw new UserError("diffusion/eta", `eta: ${eta}; expected a number in [0, 1]. Use 0 for no noise.`);
  return oneCallPlan(sigmas, (sigma, next) => {
    const ratio = next / sigma;
    const share = eta * Math.sqrt(1 - ratio * ratio);
    const a = ratio * Math.sqrt(1 - share * share);
    return { a, b: 1 - a, noiseAfter: next * share };
  });
}

/** Samples by {@link planDdim}; `x` is distributed as at `sigmas[0]`. */
export async function sampleDdim<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> & DdimSettings = {},
): Promise<T> {
  return runPlan(planDdim(sigmas, options), atLevel(denoise), x, options);
}

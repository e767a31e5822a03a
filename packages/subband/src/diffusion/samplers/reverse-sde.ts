/**
 * @module Euler-Maruyama on the reverse-time SDE (Song et al. 2021, eq. 6), of the variance-exploding or of the
 * variance-preserving process. Weak order 1, one evaluation a step; the step to 0 returns the prediction of the clean
 * data without noise, as the noise removal of that paper's code.
 */
import type { Denoiser, State } from "../denoiser.ts";
import { vpNoise, vpScale } from "../vp.ts";
import {
  atLevel,
  type CallFactors,
  oneCallPlan,
  runPlan,
  type SampleOptions,
  type SamplingPlan,
} from "./plan.ts";

/** Settings of the reverse-SDE sampler. */
export interface ReverseSdeSettings {
  /** The process to reverse: "ve" (default) or "vp". */
  readonly process?: "ve" | "vp";
}

/** The calls of Euler-Maruyama down `sigmas`. */
export function planReverseSde(sigmas: readonly number[], settings: ReverseSdeSettings = {}): SamplingPlan {
  const factors = settings.process === "vp" ? vpFactors : veFactors;
  return oneCallPlan(sigmas, (sigma, next) => (next === 0 ? { a: 0, b: 1 } : factors(sigma, next)));
}

/** `x' = x + (sigma^2 - next^2) score + sqrt(sigma^2 - next^2) n` (eq. 6 and 9) with score `(D - x) / sigma^2`. */
function veFactors(sigma: number, next: number): CallFactors {
  const variance = (sigma - next) * (sigma + next);
  const b = variance / (sigma * sigma);
  return { a: 1 - b, b, noiseAfter: Math.sqrt(variance) };
}

/**
 * `y' = y + (y / 2 + score) h + sqrt(h) n` (eq. 6 and 11) for the scaled state `y = s x`, where h, the integral of beta
 * over the step, is the fall of ln(1 + sigma^2), and the score of y is `(s D - y) / (1 - abar)`.
 */
function vpFactors(sigma: number, next: number): CallFactors {
  const h = Math.log1p(sigma * sigma) - Math.log1p(next * next);
  const scale = vpScale(sigma) / vpScale(next);
  const pull = h / vpNoise(sigma) ** 2;
  return { a: scale * (1 + h / 2 - pull), b: scale * pull, noiseAfter: Math.sqrt(h) / vpScale(next) };
}

/** Samples by {@link planReverseSde}; `x` is distributed as at `sigmas[0]`. */
export async function sampleReverseSde<T extends State>(
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> & ReverseSdeSettings = {},
): Promise<T> {
  return runPlan(planReverseSde(sigmas, options), atLevel(denoise), x, options);
}

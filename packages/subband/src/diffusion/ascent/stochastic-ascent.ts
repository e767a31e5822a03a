/**
 * @module Stochastic coarse-to-fine ascent of the log density that is implicit in a blind denoiser (Kadkhodaie and
 * Simoncelli 2021, algorithm 1; Kadkhodaie et al. 2023, algorithm 1): each step removes a share of the predicted noise
 * and adds fresh noise, so that the noise level, read off the prediction itself, falls to a floor. One evaluation a
 * step and one more for the final denoising.
 *
 * What is sampled is exact only as h0 and beta go to 0 and sigma0 grows. The start N(0, sigma0^2) is not the noisy data
 * distribution: along a direction of data variance v, the share (v / (v + sigma0^2))^(1 / (2 beta)) of the error of the
 * mean stays, and its square of the variance is missing. That is nothing for v << sigma0^2; but the mean brightness of
 * 40 x 40 images whose brightness has deviation 0.15 is a direction of v = 36, and at sigma0 = 1, beta = 0.1 keeps 0.87
 * of its error: start from a larger sigma0 where the denoiser knows it, or from a good mean. And a step of size h at
 * level s leaves the share (2 - h) / (2 - h r) of the variance, r = s^2 / (v + s^2): about 1 - h / 2, so that steps that
 * rise to 1, as published, draw images of too little variety (0.75 of the variance at beta = 0.1, 0.57 at beta = 0.01).
 * Fixed steps of h0 = 0.1 keep 0.95 of it, in 459 steps at beta = 0.1. The level of images of few values n walks, and
 * falls on average as for beta + 2 / n.
 */
import { unknownName, UserError } from "onnxgrad";
import type { State } from "../denoiser.ts";
import type { NoiseSource } from "../noise.ts";
import type { Residual } from "./residual.ts";
import { type AscentPace, injectedNoise, stepSize, stepsBetween } from "./step-size.ts";

/**
 * When to stop: `absolute` at sigma_t <= sigmaInf (the paper), `relative` at sigma_t <= sigmaInf std(y) (the released
 * code; std over all values of an image), which stops earlier for images of low contrast.
 */
export type StopRule = "absolute" | "relative";

const STOP_RULES: readonly StopRule[] = ["absolute", "relative"];

/** Settings of stochastic ascent; the defaults are those of figures 5 to 7 of Kadkhodaie et al. 2023. */
export interface AscentSettings extends AscentPace {
  /** Noise level of the start, in units of the data (pixels in [0, 1]); default 1. */
  readonly sigma0?: number;
  /** Noise level to reach, before the final denoising; default 0.01. */
  readonly sigmaInf?: number;
  /** Default `absolute`. */
  readonly stop?: StopRule;
  /** Most steps; default ten times those of an exact denoiser. An image that reaches it is denoised as it is. */
  readonly maxSteps?: number;
  /**
   * A predicted noise level above this multiple of sigma0 ends the run with an error; default 1.5 + 40 / sqrt(n) for
   * images of n values: the published 1.5, and room for the level of small images, whose few values let it walk.
   */
  readonly divergence?: number;
}

/** What is told after each step. */
export interface AscentReport {
  /** 1, 2, ... */
  readonly iteration: number;
  /** The greatest noise level among the images still running, as predicted before the step. */
  readonly sigma: number;
  /** How many images of the batch are still running. */
  readonly running: number;
}

/** What an ascent accepts beside its settings. */
export interface AscentOptions<T extends State> extends AscentSettings {
  /** Images in the flat batch; each has its own noise level and stops for itself. Default 1. */
  readonly count?: number;
  /** Standard normal noise of step 0, 1, ...; needed unless beta is 1. See `stepNoise()`. */
  readonly noise?: NoiseSource<T>;
  /** Called after every step, and awaited; throw from it to stop. */
  readonly onStep?: (report: AscentReport) => void | Promise<void>;
}

/** What an ascent ends with. */
export interface Ascent<T extends State> {
  /** The denoised end, flat as the start. */
  readonly x: T;
  /** Steps of each image. */
  readonly iterations: readonly number[];
  /** Predicted noise level of each image before the final denoising. */
  readonly sigmas: readonly number[];
  /** Whether each image reached the floor within `maxSteps`. */
  readonly converged: readonly boolean[];
}

/**
 * Climbs from `start`, usually `startNoise(images, sigma0, ...)`, which is left as it was. An image does not depend on
 * the batch it is made in, provided that neither its residual nor its noise does.
 * @throws UserError `diffusion/ascent` for a setting out of range; `unknown/stop-rule`; `diffusion/noise` when noise is
 * needed and missing; `diffusion/diverged` when the predicted noise level rises above its bound or is not a number.
 *
 * @example
 * const images = { seed: 1, count: 4 };
 * const start = startNoise(images, 1, new Float32Array(4 * 40 * 40));
 * const { x } = await stochasticAscent(residual, start, { ...images, noise: stepNoise(images), beta: 0.5 });
 */
export async function stochasticAscent<T extends State>(
  residual: Residual<T>,
  start: T,
  options: AscentOptions<T> = {},
): Promise<Ascent<T>> {
  const { count = 1, noise, onStep } = options;
  const { beta, sigma0, sigmaInf, stop, maxSteps, divergence } = checkedSettings(
    options,
    start.length / count,
  );
  if (!Number.isInteger(count) || count < 1 || start.length % count !== 0)
    throw outOfRange("count", count, `a positive divisor of the ${start.length} values of the start`);
  if (beta < 1 && noise === undefined)
    throw new UserError(
      "diffusion/noise",
      "noise: missing; beta below 1 adds noise. Pass { noise: stepNoise(...) }, or beta 1.",
    );
  const size = start.length / count;
  const y = start.slice() as T;
  const fresh = start.slice() as T;
  const x = start.slice() as T;
  const iterations = Array.from({ length: count }, () => 0);
  const sigmas = iterations.slice();
  const converged = iterations.map(() => false);
  let running = iterations.map((_, image) => image);
  for (let t = 1; ; t++) {
    const f = await residual(y);
    running = running.filter((image) => {
      const from = image * size;
      const sigma = rootMeanSquare(f, from, size);
      if (!(sigma <= divergence * sigma0)) throw diverged(t, sigma, divergence * sigma0);
      sigmas[image] = sigma;
      const floor = stop === "absolute" ? sigmaInf : sigmaInf * standardDeviation(y, from, size);
      converged[image] = sigma <= floor;
      if (sigma > floor && t <= maxSteps) return true;
      for (let i = from; i < from + size; i++) x[i] = y[i]! - f[i]!;
      return false;
    });
    if (running.length === 0) return { x, iterations, sigmas, converged };
    const h = stepSize(options, t);
    const gamma = injectedNoise(options, h);
    if (gamma > 0) noise!(t - 1, fresh);
    for (const image of running) {
      const scale = gamma * sigmas[image]!;
      const end = (image + 1) * size;
      for (let i = image * size; i < end; i++) y[i] = y[i]! - h * f[i]! + scale * fresh[i]!;
      iterations[image] = t;
    }
    const sigma = Math.max(...running.map((image) => sigmas[image]!));
    await onStep?.({ iteration: t, sigma, running: running.length });
  }
}

/** The settings with their defaults, checked. */
function checkedSettings(settings: AscentSettings, size: number): Required<AscentSettings> {
  const { h0 = 0.01, beta = 0.1, rising = true, sigma0 = 1, sigmaInf = 0.01 } = settings;
  const { stop = "absolute", divergence = 1.5 + 40 / Math.sqrt(size) } = settings;
  if (!(h0 > 0 && h0 <= 1)) throw outOfRange("h0", h0, "a step size in (0, 1], such as 0.01");
  if (!(beta > 0 && beta <= 1)) throw outOfRange("beta", beta, "a number in (0, 1], such as 0.1");
  if (!(sigma0 > 0 && sigma0 < Infinity)) throw outOfRange("sigma0", sigma0, "a positive noise level");
  if (!(sigmaInf > 0)) throw outOfRange("sigmaInf", sigmaInf, "a positive noise level, such as 0.01");
  if (!(divergence > 1)) throw outOfRange("divergence", divergence, "a multiple of sigma0 above 1");
  if (!STOP_RULES.includes(stop)) throw unknownName("stop rule", stop, STOP_RULES);
  const { maxSteps = 10 * Math.max(1, stepsBetween({ h0, beta, rising }, sigma0, sigmaInf)) } = settings;
  if (!(maxSteps >= 1)) throw outOfRange("maxSteps", maxSteps, "a positive number of steps");
  return { h0, beta, rising, sigma0, sigmaInf, stop, maxSteps, divergence };
}

function outOfRange(name: string, value: number, allowed: string): UserError {
  return new UserError("diffusion/ascent", `${name}: ${value}; expected ${allowed}.`);
}

function diverged(iteration: number, sigma: number, bound: number): UserError {
  return new UserError(
    "diffusion/diverged",
    `sampling diverged: predicted noise level ${sigma.toPrecision(3)} in iteration ${iteration}, bound ` +
      `${bound.toPrecision(3)}. Lower h0, raise beta, or use a denoiser trained on noise up to sigma0.`,
  );
}

function rootMeanSquare(x: State, from: number, size: number): number {
  let sum = 0;
  for (let i = from; i < from + size; i++) sum += x[i]! * x[i]!;
  return Math.sqrt(sum / size);
}

/** About the mean, with the divisor size - 1. */
function standardDeviation(x: State, from: number, size: number): number {
  let mean = 0;
  for (let i = from; i < from + size; i++) mean += x[i]! / size;
  let sum = 0;
  for (let i = from; i < from + size; i++) sum += (x[i]! - mean) ** 2;
  return Math.sqrt(sum / Math.max(1, size - 1));
}

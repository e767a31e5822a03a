/**
 * @module What the stochastic-ascent samplers take: a blind residual `f(y) = y - E[x | y]`, which is told no noise level
 * and finds it in its input. The bias-free networks are trained to be one. Here too is the way from it to the samplers
 * that walk down a schedule.
 */
import type { Denoiser, State } from "../denoiser.ts";

/**
 * `residual(y)` predicts the noise in `y` over a flat batch, each image for itself: `y - residual(y)` is the denoised
 * image. By Miyasawa's identity it is `-sigma^2` times the gradient of the log density of noisy images (Kadkhodaie and
 * Simoncelli 2021, eq. 3). It must neither change nor keep `y`; it may return the same buffer at every call.
 */
export type Residual<T extends State = State> = (y: T) => T | Promise<T>;

/**
 * A blind residual as the `denoise(x, sigma)` that every sampler of `samplers/` takes; the told level is not used.
 *
 * A bias-free network is homogeneous, `f(a y) = a f(y)` for a > 0: where it was trained on images of rescaled
 * intensity with noise up to 1, it also knows levels above 1. From level 10, 20 calls of DPM-Solver++(2M) draw a
 * Gaussian with its variances to 4 % (up to those of 4; the share v / (v + 100) of larger ones v is missing), for which stochastic
 * ascent takes some 460 calls.
 *
 * @example
 * const sigmas = edmSchedule({ sigmaMax: 10, sigmaMin: 0.01 }).sigmas(20);
 * const images = { seed: 1, count: 4 };
 * const x = startNoise(images, 10, new Float32Array(4 * 40 * 40));
 * const low = await sample("dpmpp2m", blindDenoiser(residual), x, sigmas);
 */
export function blindDenoiser<T extends State>(residual: Residual<T>): Denoiser<T> {
  return async (x) => {
    const noise = await residual(x);
    const denoised = x.slice() as T;
    for (let i = 0; i < x.length; i++) denoised[i] = x[i]! - noise[i]!;
    return denoised;
  };
}

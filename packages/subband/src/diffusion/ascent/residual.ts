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
 * intensity with noise up to 1, it also knows levels above 1, and 10 levels from 10 down (19 calls of Heun's method)
 * replace the hundreds to thousands of steps of stochastic ascent.
 *
 * @example
 * const sigmas = edmSchedule({ sigmaMax: 10, sigmaMin: 0.01 }).sigmas(10);
 * const images = { seed: 1, count: 4 };
 * const x = startNoise(images, sigmas[0], new Float32Array(4 * 40 * 40));
 * const low = await sample("heun", blindDenoiser(residual), x, sigmas);
 */
export function blindDenoiser<T extends State>(residual: Residual<T>): Denoiser<T> {
  return async (x) => {
    const noise = await residual(x);
    const denoised = x.slice() as T;
    for (let i = 0; i < x.length; i++) denoised[i] = x[i]! - noise[i]!;
    return denoised;
  };
}

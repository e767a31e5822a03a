/**
 * @module What brings a noisy image of any brightness and any noise level to one scale before a network sees it: bands in
 * units of the noise, low-pass bands without their brightness, and an output that is never much more than the noise.
 */
import { abs, add, constant, conv2d, div, mean, mul, sqrt, square, sub, type Tensor } from "onnxgrad";
import { mirrorAround } from "./mirror-around.ts";

/** E|x| = sqrt(2 / pi) for N(0, 1). */
const MEAN_ABSOLUTE = Math.sqrt(2 / Math.PI);

/** Deviation taken for an image without any noise, 1/4000 of a gray level: large enough to divide by. */
const LEAST = 1e-6;

/** Deviations of the noise that no output coefficient passes. Four kept specks: noise of 3.5 then takes an output of 7. */
const CEILING = 8;

/**
 * Deviation of the white noise in the finest diagonal details [n, c, h, w], by the mean of their sizes: [n, 1, 1, 1].
 * Fine texture counts as noise, so it is rather too large.
 */
export function noiseScale(diagonal: Tensor): Tensor {
  return add(mul(mean(abs(diagonal), [1, 2, 3], { keepDims: true }), 1 / MEAN_ABSOLUTE), LEAST);
}

/**
 * x [n, c, h, w] less its mean over 3 x 3 coefficients, where those at the border are repeated beyond it: what is added
 * to all of x makes no difference.
 */
export function withoutMean(x: Tensor): Tensor {
  const c = x.shape[1]!;
  const box = constant(new Float32Array(9 * c).fill(1 / 9), [c, 1, 3, 3]);
  return sub(x, conv2d(mirrorAround(x, 1), box, { groups: c }));
}

/** x / sqrt(1 + (x / 8)^2): x itself near 0, and never beyond -8 and 8. */
export function limited(x: Tensor): Tensor {
  return div(x, sqrt(add(square(mul(x, 1 / CEILING)), 1)));
}

/** @module Losses of the detail generator: energy score (spread and fidelity at once), and relativistic adversarial terms. */
import {
  abs,
  add,
  avgPool2d,
  concat,
  gradients,
  log,
  mean,
  mul,
  softplus,
  sqrt,
  square,
  sub,
  sum,
  type Tensor,
} from "onnxgrad";
import { haarAnalysis } from "../../wavelet/graph.ts";

/** Keeps the root of a distance differentiable at 0; details have unit variance. */
const EPSILON = 1e-4;

/** Root-mean-square distance of each patch x patch block of [n,c,h,w], over block and channels: [n,1,h/patch,w/patch]. */
function patchDistance(a: Tensor, b: Tensor, patch: number): Tensor {
  const squared = mean(square(sub(a, b)), [1], { keepDims: true });
  return sqrt(add(patch === 1 ? squared : avgPool2d(squared, patch), EPSILON));
}

/**
 * Energy score of two independent draws for the same condition, E|X - y| - 1/2 E|X - X'| (Gneiting and Raftery 2007,
 * eq. 22), with the distance taken over patches of each size and averaged. It is strictly proper: in expectation it is
 * least when the draws follow the true conditional distribution of each patch, so that it rewards fidelity *and* the
 * spread over the noise input, which a plain L1 anchor suppresses. `repulsion` 1 is the proper score, 0 plain regression.
 */
export function energyScore(
  first: Tensor,
  second: Tensor,
  truth: Tensor,
  patches: readonly number[],
  repulsion = 1,
): Tensor {
  const terms = patches.map((patch) => {
    const fidelity = mul(
      add(mean(patchDistance(first, truth, patch)), mean(patchDistance(second, truth, patch))),
      0.5,
    );
    return sub(fidelity, mul(mean(patchDistance(first, second, patch)), 0.5 * repulsion));
  });
  return mul(
    terms.reduce((a, b) => add(a, b)),
    1 / terms.length,
  );
}

/**
 * How far the spectrum of details [n, c, h, w] is from that of the true ones: mean |ln(std / std of the truth)| over
 * channels and, where the extents are even, over their four Haar sub-bands. Phase and place count for nothing: it is a
 * complement of the energy score, whose least value in practice is reached by details that are a little too smooth.
 */
export function spectrumError(details: Tensor, truth: Tensor): Tensor {
  const logPower = (x: Tensor) => log(add(mean(square(subBands(x)), [0, 2, 3]), EPSILON));
  return mul(mean(abs(sub(logPower(details), logPower(truth)))), 0.5);
}

function subBands(x: Tensor): Tensor {
  const [, , h, w] = x.shape as [number, number, number, number];
  if (h % 2 === 1 || w % 2 === 1) return x;
  const { low, detail } = haarAnalysis(x);
  return concat([low, detail], 1);
}

/** Relativistic pairing loss mean softplus(other - own) (Jolicoeur-Martineau 2019): `own` is to score above `other`. */
export function relativisticLoss(own: Tensor, other: Tensor): Tensor {
  return mean(softplus(sub(other, own)));
}

/**
 * R1 penalty mean |d score / d image|^2 over samples (Mescheder et al. 2018, eq. 9), without its factor gamma / 2. Scores
 * of patches are averaged a sample.
 */
export function gradientPenalty(scores: Tensor, image: Tensor): Tensor {
  const patches = scores.size / scores.shape[0]!;
  const [gradient] = gradients(mul(sum(scores), 1 / patches), [image]);
  return mul(sum(square(gradient!)), 1 / image.shape[0]!);
}

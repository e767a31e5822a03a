/**
 * @module Losses of the released WMGM, as graph: squared error, structural similarity and a bounded adversarial score,
 * all on the reconstructed image x_{j-1} in pixels. Known defects are switches that default to the released behaviour.
 */
import {
  add,
  clipByGlobalNorm,
  div,
  mean,
  mul,
  neg,
  sigmoid,
  softplus,
  square,
  sub,
  type Tensor,
} from "onnxgrad";
import { ssim } from "../parts/ssim.ts";
import { RELEASED_DEFECTS, type WmgmDefects } from "./defects.ts";

/** Weights of the generator's three terms; alpha, lambda and nu of the paper's equations 17 and 18. */
export interface GeneratorWeights {
  readonly adversarial: number;
  readonly reconstruction: number;
  readonly similarity: number;
}

/** The weights of the released code. */
export const RELEASED_WEIGHTS: GeneratorWeights = { adversarial: 0.1, reconstruction: 20, similarity: 0.5 };

/** Norm to which the released code means to clip the gradients of both networks. */
const CLIP_NORM = 0.5;

/** What the generator's loss looks at. */
export interface GeneratorJudgement {
  /** The image made from the true low band and generated details, and the true one: [n, c, h, w]. */
  readonly fake: Tensor;
  readonly real: Tensor;
  /** Logits of the discriminator on `fake`: [n, 1]. */
  readonly fakeScore: Tensor;
  /** Wavelet level j of the details, 1 the finest: images lie in [0, 2^(j-1)]. */
  readonly level: number;
}

/** What is left of the loss without the discriminator: the weighted sum and its terms, before weighting; all scalars. */
export interface FidelityLoss {
  readonly loss: Tensor;
  /** Mean squared error; for Haar 3/4 of the mean squared error of the detail bands, since the low band is shared. */
  readonly reconstruction: Tensor;
  /** 1 - SSIM. */
  readonly similarity: Tensor;
}

/** The same with the discriminator's term. */
export interface GeneratorLoss extends FidelityLoss {
  readonly adversarial: Tensor;
}

/** lambda MSE(fake, real) + nu (1 - SSIM): how far the image is from the true one. */
export function faithfulFidelity(
  { fake, real, level }: Pick<GeneratorJudgement, "fake" | "real" | "level">,
  weights: GeneratorWeights = RELEASED_WEIGHTS,
  { signedSimilarity }: WmgmDefects = RELEASED_DEFECTS,
): FidelityLoss {
  const reconstruction = mean(square(sub(fake, real)));
  const toUnit = (x: Tensor) => (signedSimilarity ? div(add(x, 1), 2) : div(x, 2 ** (level - 1)));
  const similarity = sub(1, ssim(toUnit(fake), toUnit(real)));
  const loss = add(mul(reconstruction, weights.reconstruction), mul(similarity, weights.similarity));
  return { loss, reconstruction, similarity };
}

/** L_G = alpha L_adv + lambda MSE(fake, real) + nu (1 - SSIM), where L_adv = -mean sigmoid(D(fake)). */
export function faithfulGeneratorLoss(
  judgement: GeneratorJudgement,
  weights: GeneratorWeights = RELEASED_WEIGHTS,
  defects: WmgmDefects = RELEASED_DEFECTS,
): GeneratorLoss {
  const { fakeScore } = judgement;
  const adversarial = defects.boundedAdversary
    ? neg(mean(sigmoid(fakeScore)))
    : mean(softplus(neg(fakeScore)));
  const { loss: fidelity, ...terms } = faithfulFidelity(judgement, weights, defects);
  return { loss: add(fidelity, mul(adversarial, weights.adversarial)), adversarial, ...terms };
}

/**
 * L_D = (mean sigmoid(D(fake)) - mean sigmoid(D(real))) / 2 of logits [n, 1]; a scalar in (-1/2, 1/2). The released loop
 * runs the discriminator on `fake` first, then on `real`, which matters for its running statistics.
 */
export function faithfulDiscriminatorLoss(
  realScore: Tensor,
  fakeScore: Tensor,
  { boundedAdversary }: WmgmDefects = RELEASED_DEFECTS,
): Tensor {
  const [onFake, onReal] = boundedAdversary
    ? [mean(sigmoid(fakeScore)), neg(mean(sigmoid(realScore)))]
    : [mean(softplus(fakeScore)), mean(softplus(neg(realScore)))];
  return mul(add(onFake, onReal), 0.5);
}

/** The gradients as the optimiser gets them: as they are in the released code, else clipped to norm 0.5. */
export function faithfulGradients<G>(grads: G, { clipBeforeBackward }: WmgmDefects = RELEASED_DEFECTS): G {
  return clipBeforeBackward ? grads : clipByGlobalNorm(grads, CLIP_NORM).grads;
}

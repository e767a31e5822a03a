/**
 * @module Bias-free convolutional denoisers (Mohan et al. 2020) with a chosen receptive field, and the conditional form
 * that denoises wavelet details beside their low-pass band (Kadkhodaie et al. 2023). The output is the noise: the
 * denoised image is x - f(x). Nothing is added anywhere, so f(a x) = a f(x) for a > 0, once trained.
 */
import {
  cast,
  conv2d,
  full,
  invariant,
  less,
  mul,
  type NdArray,
  ndarray,
  relu,
  reshape,
  type Rng,
  scope,
  sub,
  type Tensor,
  UserError,
} from "onnxgrad";
import type { Normalized, Phase } from "./batch-norm.ts";
import { biasFreeScale, initGain } from "./bf-batch-norm.ts";
import { initWeight, type Params } from "./layers.ts";

/** Receptive fields that were published, pixels (or coefficients) a side. */
export const RECEPTIVE_FIELDS = [5, 9, 13, 23, 43] as const;

/** Size of a {@link bfCnn}. */
export interface BfCnnConfig {
  readonly inputs: number;
  readonly outputs: number;
  /** Side of the kernel of each convolution, odd; first and last included. */
  readonly kernels: readonly number[];
  /** Feature channels; published: 64. */
  readonly width: number;
}

/** What is learned: weights [out, in, k, k] of each convolution, gains [width] of those between first and last. */
export interface BfCnnParams {
  readonly weights: readonly NdArray[];
  readonly gains: readonly NdArray[];
}

/** What is remembered: running deviations [width], one a gain. */
export interface BfCnnStatistics {
  readonly deviations: readonly NdArray[];
}

const PUBLISHED_WIDTH = 64;
/** Index of the last of 21 convolutions. */
const LAST = 20;

/**
 * Kernels of the published 21 convolutions: 3 x 3 at both ends and wherever l mod 20 / ((rf - 1) / 2 - 1) = 0, so that
 * they lie evenly and together see rf x rf; 1 x 1 elsewhere.
 * @throws UserError `nn/receptive-field` for any but {@link RECEPTIVE_FIELDS}.
 */
export function kernelsOf(receptiveField: number): readonly number[] {
  if (!(RECEPTIVE_FIELDS as readonly number[]).includes(receptiveField))
    throw new UserError(
      "nn/receptive-field",
      `receptive field: ${receptiveField}. Known: ${RECEPTIVE_FIELDS.join(", ")}.`,
    );
  // The published 9 is made by the rule for 8: a period of 8, kernels at 8 and 16.
  const period = LAST / (((receptiveField === 9 ? 8 : receptiveField) - 1) / 2 - 1);
  return Array.from({ length: LAST + 1 }, (_, l) => (l % period === 0 || l === LAST ? 3 : 1));
}

/** Receptive field of convolutions in a row. */
export function receptiveFieldOf(kernels: readonly number[]): number {
  return kernels.reduce((field, kernel) => field + kernel - 1, 1);
}

/** A denoiser of whole images: c -> c channels. */
export function flatConfig(channels: number, receptiveField: number): BfCnnConfig {
  return {
    inputs: channels,
    outputs: channels,
    kernels: kernelsOf(receptiveField),
    width: PUBLISHED_WIDTH,
  };
}

/**
 * A denoiser of details given their low-pass band, cCNN: [low c, details 3c] -> noise of the details 3c; with a noisy
 * condition (ours) it sees that band as it was before it was denoised, too: [low c, noisy low c, details 3c].
 */
export function conditionalConfig(
  channels: number,
  receptiveField: number,
  noisyCondition = false,
): BfCnnConfig {
  const inputs = (noisyCondition ? 5 : 4) * channels;
  return { ...flatConfig(channels, receptiveField), inputs, outputs: 3 * channels };
}

/** The denoiser of the coarsest low-pass band, c -> c: 20 convolutions of 3 x 3, which see 41 x 41. */
export function lowPassConfig(channels: number): BfCnnConfig {
  return { inputs: channels, outputs: channels, kernels: new Array(LAST).fill(3), width: PUBLISHED_WIDTH };
}

/** Draws the parameters of a {@link bfCnn}: Kaiming-normal weights (He et al. 2015), small gains. */
export function initBfCnn(rng: Rng, { inputs, outputs, kernels, width }: BfCnnConfig): BfCnnParams {
  invariant(kernels.length >= 2, "a bias-free CNN has a first and a last convolution");
  const last = kernels.length - 1;
  return {
    weights: kernels.map((kernel, l) => {
      const from = l === 0 ? inputs : width;
      const shape = [l === last ? outputs : width, from, kernel, kernel];
      return initWeight(rng, shape, from * kernel * kernel, { gain: Math.SQRT2 });
    }),
    gains: kernels.slice(1, -1).map(() => initGain(rng, width)),
  };
}

/** The running deviations of an untrained {@link bfCnn}: 1. */
export function initBfCnnStatistics({ gains }: BfCnnParams): BfCnnStatistics {
  return { deviations: gains.map(({ shape }) => full(shape, 1)) };
}

/**
 * The noise in x [n, inputs, h, w] as [n, outputs, h, w], and the running deviations after this pass: convolution, then
 * [convolution, bias-free normalisation, ReLU] as often as there are gains, then convolution; all zero-padded.
 * `momentum`, [], is the share of this batch in the next running deviations; default 0.1.
 */
export function bfCnn(
  params: Params<BfCnnParams>,
  statistics: Params<BfCnnStatistics>,
  x: Tensor,
  phase: Phase,
  momentum?: Tensor,
): Normalized<BfCnnStatistics> {
  return scope("bfCnn", () => {
    const [first, ...weights] = params.weights;
    const deviations: Tensor[] = [];
    let h = scope("layers.0", () => same(x, first!)); // [n, width, h, w]
    // relu(s u) = |s| relu(sign(s) u): signs go to the weights that make u, sizes to those that read it, and no pass over
    // the features is needed for either. `size` is that of the layer before.
    let size: Tensor | undefined;
    params.gains.forEach((gain, i) =>
      scope(`layers.${i + 1}`, () => {
        const sign = sub(1, mul(cast(less(gain, 0), "float32"), 2));
        const weight = perOutput(scaled(weights[i]!, size), sign);
        const u = same(h, weight);
        const { scale, deviation } = biasFreeScale(
          mul(gain, sign),
          statistics.deviations[i]!,
          u,
          phase,
          momentum,
        );
        deviations.push(deviation);
        size = scale;
        h = relu(u);
      }),
    );
    const y = scope(`layers.${weights.length}`, () => same(h, scaled(weights.at(-1)!, size)));
    return { y, statistics: { deviations } };
  });
}

/**
 * The weights of the same network at inference with gain / deviation multiplied into them, for {@link foldedBfCnn}: the
 * same function, with nothing but convolutions and ReLUs to compute.
 */
export function foldBfCnn(
  { weights, gains }: BfCnnParams,
  { deviations }: BfCnnStatistics,
): readonly NdArray[] {
  return weights.map(({ shape, data }, l) => {
    const gain = gains[l - 1];
    if (gain === undefined) return { shape, data };
    const perChannel = data.length / shape[0]!;
    const scale = (i: number) => {
      const channel = Math.floor(i / perChannel);
      return gain.data[channel]! / deviations[l - 1]!.data[channel]!;
    };
    return ndarray(
      shape,
      data.map((value, i) => value * scale(i)),
    );
  });
}

/** {@link bfCnn} at inference on the weights of {@link foldBfCnn}: [n, inputs, h, w] -> noise [n, outputs, h, w]. */
export function foldedBfCnn(weights: readonly Tensor[], x: Tensor): Tensor {
  return scope("foldedBfCnn", () => {
    const last = weights.length - 1;
    return weights.reduce((h, weight, l) => {
      const y = scope(`layers.${l}`, () => same(h, weight));
      return l === 0 || l === last ? y : relu(y);
    }, x);
  });
}

/** Weight [out, in, k, k] for features that lack their scale [in]; as it is where they lack none. */
function scaled(weight: Tensor, scale: Tensor | undefined): Tensor {
  return scale === undefined ? weight : mul(weight, reshape(scale, [1, scale.size, 1, 1]));
}

/** Weight [out, in, k, k] times one number [out] an output channel. */
function perOutput(weight: Tensor, scale: Tensor): Tensor {
  return mul(weight, reshape(scale, [scale.size, 1, 1, 1]));
}

/** Zero-padded convolution that keeps the extents. */
function same(x: Tensor, weight: Tensor): Tensor {
  return conv2d(x, weight, { padding: (weight.shape[2]! - 1) / 2 });
}

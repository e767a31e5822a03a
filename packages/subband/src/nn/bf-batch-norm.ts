/**
 * @module Bias-free batch normalisation: features are divided by their standard deviation and scaled a channel, and
 * nothing is ever added, so that a network of it keeps f(a x) = a f(x). What it learns is a gain; what it remembers is a
 * running deviation (not a variance), which no optimiser touches.
 */
import {
  add,
  channelMoments,
  div,
  GraphError,
  mul,
  type NdArray,
  ndarray,
  type Rng,
  sqrt,
  sub,
  type Tensor,
} from "onnxgrad";
import type { Phase } from "./batch-norm.ts";

/** Under the root of the batch's deviation. */
const EPSILON = 1e-5;
/** Share of the batch's deviation in the next running one, as published: for batches of 512. */
const MOMENTUM = 0.1;
const MOMENTUM_BATCH = 512;
/** As published: meant as a deviation of sqrt(2 / 9 / 64), and used without the root. */
const GAIN_DEVIATION = 2 / 9 / 64;
const GAIN_LIMIT = 0.025;

/** Gains [channels] of either sign: N(0, (2 / 9 / 64)^2), clamped to 0.025 in size. */
export function initGain(rng: Rng, channels: number): NdArray {
  const draw = () => Math.min(GAIN_LIMIT, Math.max(-GAIN_LIMIT, GAIN_DEVIATION * rng.normal()));
  return ndarray([channels], Float32Array.from({ length: channels }, draw));
}

/**
 * The share of the batch's deviation in the next running one at which that one remembers as many images as published,
 * whatever the batch, 1 - 0.9^(batch / 512), but no more than the last tenth of what was seen: weights were others before.
 * With a tenth a step, which is the most, the deviations of small batches would be those of the last few.
 */
export function momentumOf(batch: number, imagesSeen: number): number {
  const published = 1 - (1 - MOMENTUM) ** (batch / MOMENTUM_BATCH);
  return Math.max(published, Math.min(MOMENTUM, (10 * batch) / (imagesSeen + batch)));
}

/** What features are multiplied by a channel [c], and the running deviation [c] after this pass. */
export interface BiasFreeScale {
  readonly scale: Tensor;
  readonly deviation: Tensor;
}

/**
 * gain / deviation of the features x [n, c, h, w]. In training the deviation is the batch's, sqrt(var + 1e-5) with the
 * biased variance about the mean (which is not taken from x), and the running one moves towards it by `momentum`, []; at
 * inference it is the running one.
 * @throws GraphError in training when a channel has but one value, n h w = 1.
 */
export function biasFreeScale(
  gain: Tensor,
  running: Tensor,
  x: Tensor,
  phase: Phase,
  momentum: Tensor | number = MOMENTUM,
): BiasFreeScale {
  if (phase === "inference") return { scale: div(gain, running), deviation: running };
  if (x.size / x.shape[1]! < 2)
    throw new GraphError(
      `biasFreeScale: [${x.shape.join(",")}] has one value a channel, which has no deviation. ` +
        `Train on larger batches or images, or run the network in phase inference.`,
    );
  const deviation = sqrt(add(channelMoments(x).variance, EPSILON));
  return {
    scale: div(gain, deviation),
    deviation: add(running, mul(sub(deviation, running), momentum)),
  };
}

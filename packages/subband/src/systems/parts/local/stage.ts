/**
 * @module Trains one bias-free CNN of a local model as published (Kadkhodaie et al. 2023): blind noise on a low-pass band
 * (or image), or on the details of a level beside their low-pass band; the sum of squared errors of the predicted noise
 * by Adam, whose rate halves ten times.
 */
import {
  adam,
  adamInit,
  add,
  concat,
  div,
  type Feed,
  invariant,
  layoutOf,
  log,
  mean,
  mul,
  pack,
  reshape,
  type Rng,
  rng,
  square,
  sub,
  sum,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import type { Phase } from "../../../nn/batch-norm.ts";
import { momentumOf } from "../../../nn/bf-batch-norm.ts";
import { bfCnn, type BfCnnConfig, initBfCnn, initBfCnnStatistics } from "../../../nn/bf-cnn.ts";
import { SHAPES } from "../../../nn/layers.ts";
import { drawEach, drawNormal, quadraticLevels } from "./blind-noise.ts";
import { analyseLevels } from "./denoiser.ts";
import type { LocalRole } from "./model.ts";
import { SCORE_IMAGES, type Stage } from "../../stage.ts";
import type { ImageShape } from "../../system.ts";

/** Everything that the training of one network is made of. */
export interface LocalStageOptions {
  readonly name: string;
  readonly share: number;
  readonly network: BfCnnConfig;
  /** Of the training images. */
  readonly image: ImageShape;
  readonly role: LocalRole;
  /** Wavelet analyses down to the band; for details at least 1. */
  readonly level: number;
  /** Name of the orthogonal wavelet. */
  readonly wavelet: string;
  readonly batch: number;
  readonly lr: number;
  readonly noiseSteps: number;
  /** Multiply each clean band by a number drawn from [0, 1): published for low-pass and flat networks. */
  readonly rescale: boolean;
  /** Noise on the low-pass band beside details; see `LocalConfig`. */
  readonly augmentConditions: boolean;
  /** The noisy low-pass band beside it, too; see `LocalConfig`. */
  readonly noisyCondition: boolean;
}

/** Parts of the training after each of which the learning rate halves. */
const HALVINGS = 10;

/** The factor on the learning rate at `progress` in [0, 1): 1/2 after each tenth. */
export function halvingFactor(progress: number): number {
  return 0.5 ** Math.floor(HALVINGS * progress);
}

function initialState(network: BfCnnConfig, random: Rng) {
  const drawn = initBfCnn(random, network);
  const params = pack(drawn);
  return { params, statistics: pack(initBfCnnStatistics(drawn)), adam: adamInit(params) };
}

type LocalState = ReturnType<typeof initialState>;

/** What a step is fed. */
interface BlindInputs {
  /** [n, c, height, width] in [-1, 1]. */
  readonly pixels: Tensor;
  /** N(0, 1), of the shape of the band. */
  readonly noise: Tensor;
  /** [n]. */
  readonly sigma: Tensor;
  /** [n], where intensities are rescaled. */
  readonly intensity?: Tensor;
  /** N(0, 1) of the shape of the low-pass band, and its deviation [n]; where conditions are augmented. */
  readonly conditionNoise?: Tensor;
  readonly conditionSigma?: Tensor;
  /** N(0, 1) of the shape of the low-pass band, where it is seen with the noise that it came with. */
  readonly lowNoise?: Tensor;
}

/** A {@link Stage} that trains one network. */
export function localStage(options: LocalStageOptions): Stage {
  const { name, share, network, image, role, level, wavelet, batch, lr, rescale } = options;
  invariant(role === "low" || level >= 1, `details of level ${level}`);
  const augments = role === "details" && options.augmentConditions;
  const seesNoisyLow = role === "details" && options.noisyCondition;
  const bandShape = (n: number, bands: number) => [
    n,
    bands * image.channels,
    image.height / 2 ** level,
    image.width / 2 ** level,
  ];
  const noiseShape = (n: number) => bandShape(n, role === "low" ? 1 : 3);
  const inputs = (n: number) => ({
    pixels: [n, image.channels, image.height, image.width],
    noise: noiseShape(n),
    sigma: [n],
    ...(rescale ? { intensity: [n] } : {}),
    ...(augments ? { conditionNoise: bandShape(n, 1), conditionSigma: [n] } : {}),
    ...(seesNoisyLow ? { lowNoise: bandShape(n, 1) } : {}),
  });

  /** Sum of squared errors of the predicted noise over the images. */
  const loss = (
    feed: BlindInputs,
    { params, statistics }: Traced<LocalState>,
    phase: Phase,
    momentum?: Tensor,
  ) => {
    const each = (values: Tensor) => reshape(values, [values.size, 1, 1, 1]);
    const x = mul(add(feed.pixels, 1), 0.5);
    const bands = analyseLevels(x, level, wavelet).at(-1);
    const band = role === "details" ? bands!.detail : (bands?.low ?? x);
    const clean = feed.intensity === undefined ? band : mul(band, each(feed.intensity));
    const noise = mul(feed.noise, each(feed.sigma));
    const noisy = add(clean, noise);
    const conditions = (low: Tensor) => [
      feed.conditionNoise === undefined
        ? low
        : add(low, mul(feed.conditionNoise, each(feed.conditionSigma!))),
      // All bands carry the same noise.
      ...(feed.lowNoise === undefined ? [] : [add(low, mul(feed.lowNoise, each(feed.sigma)))]),
    ];
    const seen = role === "details" ? concat([...conditions(bands!.low), noisy], 1) : noisy;
    const { y, statistics: next } = bfCnn(params, statistics, seen, phase, momentum);
    const error = square(sub(y, noise));
    return { loss: div(sum(error), noise.shape[0]!), statistics: next, mse: mean(error) };
  };

  const feeds = (stream: (purpose: string) => Rng, n: number): Record<string, Feed> => {
    const sigma = drawEach(stream("sigma"), n, quadraticLevels(options.noiseSteps));
    const share = stream("condition-sigma");
    return {
      sigma,
      noise: drawNormal(stream("noise"), noiseShape(n)),
      ...(rescale ? { intensity: drawEach(stream("intensity"), n, (random) => random.uniform()) } : {}),
      ...(augments
        ? {
            conditionNoise: drawNormal(stream("condition-noise"), bandShape(n, 1)),
            conditionSigma: sigma.map((value) => value * share.uniform()),
          }
        : {}),
      ...(seesNoisyLow ? { lowNoise: drawNormal(stream("low-noise"), bandShape(n, 1)) } : {}),
    };
  };

  const scoreBatch = Math.min(batch, SCORE_IMAGES);
  return {
    name,
    share,
    batch,
    layout: () => layoutOf(initialState(network, SHAPES)),
    begin: ({ seed }) => initialState(network, rng(seed, `init-${name}`)),
    networks: { [name]: "params" },
    programs: {
      step: {
        inputs: { ...inputs(batch), lr: [], momentum: [] },
        build({
          state,
          lr: rate,
          momentum,
          ...feed
        }: { state: Traced<LocalState>; lr: Tensor; momentum: Tensor } & BlindInputs) {
          const { value, grads, aux } = valueAndGrad((params: Traced<LocalState>["params"]) =>
            loss(feed, { ...state, params }, "training", momentum),
          )(state.params);
          const next = adam(state.params, grads, state.adam, { lr: rate });
          return {
            state: { params: next.params, statistics: aux.statistics, adam: next.state },
            loss: value,
            psnr: decibels(aux.mse),
          };
        },
      },
    },
    select: () => "step",
    feeds: ({ seed, imagesSeen, progress, lrScale }) => ({
      ...feeds((purpose) => rng(seed, `training-${name}-${purpose}`, imagesSeen), batch),
      lr: lr * lrScale * halvingFactor(progress),
      momentum: momentumOf(batch, imagesSeen),
    }),
    score: {
      weights: ["params", "statistics"],
      batch: scoreBatch,
      batches: Math.ceil(SCORE_IMAGES / scoreBatch),
      program: {
        inputs: inputs(scoreBatch),
        build: ({ state, ...feed }: { state: Traced<LocalState> } & BlindInputs) => ({
          score: loss(feed, state, "inference").loss,
        }),
      },
      feeds: (seed, index) => feeds((purpose) => rng(seed, `score-${name}-${purpose}`, index), scoreBatch),
    },
  };
}

/** Peak signal to noise in dB of a mean squared error, for a peak of 1. */
export function decibels(mse: Tensor): Tensor {
  return mul(log(mse), -10 / Math.LN10);
}

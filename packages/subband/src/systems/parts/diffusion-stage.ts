/**
 * @module Trains a score U-Net to denoise the coarsest low band (the image itself at 0 levels): denoising score matching
 * in any formulation, with AdamW and an exponential moving average.
 */
import {
  adam,
  adamInit,
  clipByGlobalNorm,
  type Feed,
  add,
  ema,
  layoutOf,
  mean,
  mul,
  pack,
  reshape,
  type Rng,
  rng,
  scheduleFactor,
  square,
  sub,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import type { Formulation } from "../../diffusion/preconditioning.ts";
import { SHAPES } from "../../nn/layers.ts";
import { initScoreUnet, scoreUnet, type ScoreUnetConfig } from "../../nn/score-unet.ts";
import { SCORE_IMAGES, type Stage } from "../stage.ts";

/** Everything that a diffusion stage is made of. */
export interface DiffusionStageOptions {
  readonly name: string;
  /** Name of its noise, where a system has several such stages; without, the noise is that of the only one. */
  readonly stream?: string;
  readonly share: number;
  readonly network: ScoreUnetConfig;
  readonly formulation: Formulation;
  /** Image extents, pixels. */
  readonly height: number;
  readonly width: number;
  /** Analyses before the low band; 0: pixels. */
  readonly levels: number;
  /** From pixels [n, c, height, width] in [-1, 1] to what is denoised: [n, c, height / 2^levels, width / 2^levels]. */
  prepare(pixels: Tensor): Tensor;
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the moving average per step, after warm-up. */
  readonly emaDecay: number;
}

/** Initial state of a {@link diffusionStage}. */
function initialState(network: ScoreUnetConfig, random: Rng) {
  const params = pack(initScoreUnet(random, network));
  return { params, average: params, adam: adamInit(params) };
}

type DiffusionState = ReturnType<typeof initialState>;

/** What denoising needs, [n] unless said otherwise. */
interface DenoisingInputs {
  /** [n, c, height, width]. */
  readonly pixels: Tensor;
  /** N(0, 1), the shape of the low band. */
  readonly noise: Tensor;
  readonly sigma: Tensor;
  readonly cIn: Tensor;
  readonly cNoise: Tensor;
  readonly cSkip: Tensor;
  /** 1 / cOut. */
  readonly cOut: Tensor;
}

/** A {@link Stage} that trains the denoiser of the coarsest low band. */
export function diffusionStage(options: DiffusionStageOptions): Stage {
  const { name, share, network, formulation, levels, batch, lr, emaDecay } = options;
  const stream = options.stream === undefined ? "" : `${options.stream}-`;
  const lowShape = (n: number) => [
    n,
    network.channels,
    options.height / 2 ** levels,
    options.width / 2 ** levels,
  ];
  const inputs = (n: number) => ({
    pixels: [n, network.channels, options.height, options.width],
    noise: lowShape(n),
    ...Object.fromEntries(["sigma", "cIn", "cNoise", "cSkip", "cOut"].map((each) => [each, [n]])),
  });

  /** Mean squared error of the network's own prediction, where the loss has unit weight at every level of noise. */
  const denoisingLoss = (feed: DenoisingInputs): ((params: Traced<DiffusionState>["params"]) => Tensor) => {
    const each = (values: Tensor) => reshape(values, [values.size, 1, 1, 1]);
    const clean = options.prepare(feed.pixels);
    const noisy = add(clean, mul(feed.noise, each(feed.sigma)));
    // Karras et al. 2022, eq. 8: regress the network onto (x0 - cSkip x) / cOut.
    const target = mul(sub(clean, mul(noisy, each(feed.cSkip))), each(feed.cOut));
    return (params) => mean(square(sub(scoreUnet(params, mul(noisy, each(feed.cIn)), feed.cNoise), target)));
  };

  const scoreBatch = Math.min(batch, SCORE_IMAGES);
  return {
    name,
    share,
    batch,
    layout: () => layoutOf(initialState(network, SHAPES)),
    begin: ({ seed }) => initialState(network, rng(seed, `init-${name}`)),
    programs: {
      step: {
        inputs: { ...inputs(batch), lr: [] },
        build({ state, lr: rate, ...feed }: { state: Traced<DiffusionState>; lr: Tensor } & DenoisingInputs) {
          const { value, grads } = valueAndGrad(denoisingLoss(feed))(state.params);
          const clipped = clipByGlobalNorm(grads, 1);
          const next = adam(state.params, clipped.grads, state.adam, { lr: rate, betas: [0.9, 0.99] });
          return {
            state: {
              params: next.params,
              adam: next.state,
              average: ema(state.average, next.params, next.state.step, emaDecay),
            },
            loss: value,
            gradNorm: clipped.norm,
          };
        },
      },
    },
    networks: { denoiser: "params" },
    mean: { learned: "params", average: "average", emaDecay },
    select: () => "step",
    feeds: ({ seed, imagesSeen, progress, lrScale }) => ({
      ...denoisingFeeds(
        (purpose) => rng(seed, `training-${stream}${purpose}`, imagesSeen),
        formulation,
        lowShape(batch),
      ),
      lr: lr * lrScale * scheduleFactor(progress, { warmup: 0.03, decay: 0.4 }),
    }),
    score: {
      weights: ["average"],
      batch: scoreBatch,
      batches: Math.ceil(SCORE_IMAGES / scoreBatch),
      program: {
        inputs: inputs(scoreBatch),
        build: ({ state, ...feed }: { state: Traced<DiffusionState> } & DenoisingInputs) => ({
          score: denoisingLoss(feed)(state.average),
        }),
      },
      feeds: (seed, index) =>
        denoisingFeeds(
          (purpose) => rng(seed, `score-${stream}${purpose}`, index),
          formulation,
          lowShape(scoreBatch),
        ),
    },
  };
}

/** Noise of a batch and its levels, with their coefficients, from streams by purpose. */
function denoisingFeeds(
  stream: (purpose: "sigma" | "noise") => Rng,
  formulation: Formulation,
  shape: readonly number[],
): Record<string, Feed> {
  const levels = stream("sigma");
  const sigma = Float32Array.from({ length: shape[0]! }, () => formulation.trainingSigma(levels));
  const coefficient = (pick: (c: ReturnType<Formulation["coefficients"]>) => number) =>
    sigma.map((value) => pick(formulation.coefficients(value)));
  return {
    noise: stream("noise").fillNormal(new Float32Array(shape.reduce((a, b) => a * b, 1))),
    sigma,
    cIn: coefficient(({ cIn }) => cIn),
    cNoise: coefficient(({ cNoise }) => cNoise),
    cSkip: coefficient(({ cSkip }) => cSkip),
    // The graph divides by cOut: fed as its reciprocal.
    cOut: coefficient(({ cOut }) => 1 / cOut),
  };
}

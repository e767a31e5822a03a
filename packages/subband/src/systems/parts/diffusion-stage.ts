/**
 * @module Trains the network of a band to denoise it: denoising score matching in any formulation, with AdamW and an
 * exponential moving average.
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
import { SCORE_IMAGES, type Stage } from "../stage.ts";
import type { ImageShape } from "../system.ts";
import type { DiffusedBand } from "./diffused-band.ts";
import type { DenoisingNetwork, UnetParams } from "./unet.ts";

/** How a band is trained. */
export interface DiffusionTraining {
  readonly share: number;
  /** Images, which the band is prepared of. */
  readonly image: ImageShape;
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the moving average per step, after warm-up. */
  readonly emaDecay: number;
}

/** Initial state of a {@link diffusionStage}. */
function initialState(network: DenoisingNetwork<UnetParams>, random: Rng) {
  const params = pack(network.init(random));
  return { params, average: params, adam: adamInit(params) };
}

type DiffusionState = ReturnType<typeof initialState>;

/** What denoising needs, [n] unless said otherwise. */
interface DenoisingInputs {
  /** [n, c, height, width]. */
  readonly pixels: Tensor;
  /** N(0, 1), the shape of the band. */
  readonly noise: Tensor;
  readonly sigma: Tensor;
  readonly cIn: Tensor;
  readonly cNoise: Tensor;
  readonly cSkip: Tensor;
  /** 1 / cOut. */
  readonly cOut: Tensor;
}

/** A {@link Stage} that trains the denoiser of a band. */
export function diffusionStage(
  band: DiffusedBand,
  { share, image, batch, lr, emaDecay }: DiffusionTraining,
): Stage {
  const { name, stage, network, formulation } = band;
  const stream = band.stream === undefined ? "" : `${band.stream}-`;
  const bandShape = (n: number) => [n, ...band.extents];
  const inputs = (n: number) => ({
    pixels: [n, image.channels, image.height, image.width],
    noise: bandShape(n),
    ...Object.fromEntries(["sigma", "cIn", "cNoise", "cSkip", "cOut"].map((each) => [each, [n]])),
  });

  /** Mean squared error of the network's own prediction, where the loss has unit weight at every level of noise. */
  const denoisingLoss = (feed: DenoisingInputs): ((params: Traced<DiffusionState>["params"]) => Tensor) => {
    const each = (values: Tensor) => reshape(values, [values.size, 1, 1, 1]);
    const { clean, low } = band.prepare(feed.pixels);
    const noisy = add(clean, mul(feed.noise, each(feed.sigma)));
    // Karras et al. 2022, eq. 8: regress the network onto (x0 - cSkip x) / cOut.
    const target = mul(sub(clean, mul(noisy, each(feed.cSkip))), each(feed.cOut));
    const told = { noise: feed.cNoise, given: band.condition?.(low!) };
    return (params) => mean(square(sub(network.run(params, mul(noisy, each(feed.cIn)), told), target)));
  };

  const scoreBatch = Math.min(batch, SCORE_IMAGES);
  return {
    name: stage,
    share,
    batch,
    layout: () => layoutOf(initialState(network, SHAPES)),
    begin: ({ seed }) => initialState(network, rng(seed, `init-${stage}`)),
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
    networks: { [name]: "params" },
    select: () => "step",
    feeds: ({ seed, imagesSeen, progress, lrScale }) => ({
      ...denoisingFeeds(
        (purpose) => rng(seed, `training-${stream}${purpose}`, imagesSeen),
        formulation,
        bandShape(batch),
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
          bandShape(scoreBatch),
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

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
  mean,
  mul,
  pack,
  reshape,
  rng,
  scheduleFactor,
  square,
  sub,
  type Tensor,
  type Traced,
  valueAndGrad,
} from "onnxgrad";
import type { Formulation } from "../diffusion/preconditioning.ts";
import { initScoreUnet, scoreUnet, type ScoreUnetConfig } from "../nn/score-unet.ts";
import { type BandScaling, coarsestLow, standardizeLow } from "./band-scaling.ts";
import type { Stage, StepContext } from "./stage.ts";

/** Everything that a diffusion stage is made of. */
export interface DiffusionStageOptions {
  readonly name: string;
  readonly share: number;
  readonly network: ScoreUnetConfig;
  readonly formulation: Formulation;
  readonly scaling: BandScaling;
  /** Image extents, pixels. */
  readonly height: number;
  readonly width: number;
  /** Analyses before the low band; 0: pixels. */
  readonly levels: number;
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the moving average per step, after warm-up. */
  readonly emaDecay: number;
}

/** Initial state of a {@link diffusionStage}. */
function initialState(network: ScoreUnetConfig, name: string, seed: number) {
  const params = pack(initScoreUnet(rng(seed, `init-${name}`), network));
  return { params, average: params, adam: adamInit(params) };
}

type DiffusionState = ReturnType<typeof initialState>;

/** The inputs that a step feeds, [batch] unless said otherwise. */
interface DiffusionInputs {
  readonly pixels: Tensor;
  /** N(0, 1), the shape of the low band. */
  readonly noise: Tensor;
  readonly sigma: Tensor;
  readonly cIn: Tensor;
  readonly cNoise: Tensor;
  readonly cSkip: Tensor;
  readonly cOut: Tensor;
  readonly lr: Tensor;
}

/** A {@link Stage} that trains the denoiser of the coarsest low band. */
export function diffusionStage(options: DiffusionStageOptions): Stage {
  const { name, share, network, formulation, scaling, levels, batch, lr, emaDecay } = options;
  const c = network.channels;
  const pixels = [batch, c, options.height, options.width];
  const low = [batch, c, options.height / 2 ** levels, options.width / 2 ** levels];
  const vector = [batch];
  return {
    name,
    share,
    batch,
    initialState: (seed) => initialState(network, name, seed),
    programs: {
      step: {
        inputs: {
          pixels,
          noise: low,
          sigma: vector,
          cIn: vector,
          cNoise: vector,
          cSkip: vector,
          cOut: vector,
          lr: [],
        },
        build({ state, ...feed }: { state: Traced<DiffusionState> } & DiffusionInputs) {
          const each = (values: Tensor) => reshape(values, [batch, 1, 1, 1]);
          const clean = standardizeLow(coarsestLow(feed.pixels, levels), scaling);
          const noisy = add(clean, mul(feed.noise, each(feed.sigma)));
          // Karras et al. 2022, eq. 8: regress the network onto (x0 - cSkip x) / cOut, where the loss has unit weight.
          const target = mul(sub(clean, mul(noisy, each(feed.cSkip))), each(feed.cOut));
          const { value, grads } = valueAndGrad((params: typeof state.params) =>
            mean(square(sub(scoreUnet(params, mul(noisy, each(feed.cIn)), feed.cNoise), target))),
          )(state.params);
          const clipped = clipByGlobalNorm(grads, 1);
          const next = adam(state.params, clipped.grads, state.adam, { lr: feed.lr, betas: [0.9, 0.99] });
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
    select: () => "step",
    feeds: (context) => diffusionFeeds(context, formulation, low, lr),
  };
}

/** Noise and coefficients of one step: a pure function of (seed, images seen, progress). */
function diffusionFeeds(
  { seed, imagesSeen, progress, lrScale }: StepContext,
  formulation: Formulation,
  shape: readonly number[],
  lr: number,
): Record<string, Feed> {
  const batch = shape[0]!;
  const levels = rng(seed, "training-sigma", imagesSeen);
  const sigma = Float32Array.from({ length: batch }, () => formulation.trainingSigma(levels));
  const coefficient = (pick: (c: ReturnType<Formulation["coefficients"]>) => number) =>
    sigma.map((value) => pick(formulation.coefficients(value)));
  return {
    noise: rng(seed, "training-noise", imagesSeen).fillNormal(
      new Float32Array(shape.reduce((a, b) => a * b, 1)),
    ),
    sigma,
    cIn: coefficient(({ cIn }) => cIn),
    cNoise: coefficient(({ cNoise }) => cNoise),
    cSkip: coefficient(({ cSkip }) => cSkip),
    // The graph divides by cOut: fed as its reciprocal.
    cOut: coefficient(({ cOut }) => 1 / cOut),
    lr: lr * lrScale * scheduleFactor(progress, { warmup: 0.03, decay: 0.4 }),
  };
}

/**
 * @module Our local denoiser: one U-Net over the wavelet bands of all levels, trained on whole images and noise
 * of any level, which it is not told. Unlike the published pyramid, what fine bands know reaches the coarse ones.
 */
import {
  adam,
  adamInit,
  add,
  clipByGlobalNorm,
  ema,
  type Feed,
  layoutOf,
  mean,
  mul,
  type NamedArray,
  pack,
  reshape,
  type Rng,
  rng,
  scheduleFactor,
  square,
  sub,
  type Tensor,
  type Traced,
  UserError,
  valueAndGrad,
} from "onnxgrad";
import { type BandUnetConfig, initBandUnet } from "../../nn/band-unet.ts";
import { SHAPES } from "../../nn/layers.ts";
import { drawEach, drawNormal, logUniformLevels } from "../parts/local/blind-noise.ts";
import { unetResidual } from "../parts/local/denoiser.ts";
import { type LocalModel, namedArrays, takeUnet, type UnetModel, unetModel } from "../parts/local/model.ts";
import { decibels } from "../parts/local/stage.ts";
import type { LocalUnetConfig } from "./config.ts";
import { SCORE_IMAGES, type Stage } from "../stage.ts";
import { localDraw } from "../parts/local/draw.ts";
import type { Arrays } from "../draw.ts";
import type { System } from "../system.ts";

/** Name of the only stage. */
const STAGE = "unet";

function networkOf({ channels, widths, encoder, decoder }: LocalUnetConfig): BandUnetConfig {
  return { channels, widths, encoder, decoder };
}

function initialState(config: LocalUnetConfig, random: Rng) {
  const params = pack(initBandUnet(random, networkOf(config)));
  return { params, average: params, adam: adamInit(params) };
}

type UnetState = ReturnType<typeof initialState>;

/** What a step is fed. */
interface BlindInputs {
  /** [n, c, height, width] in [-1, 1]. */
  readonly pixels: Tensor;
  /** N(0, 1), of the same shape. */
  readonly noise: Tensor;
  /** [n]. */
  readonly sigma: Tensor;
}

/** Mean squared error below which an image counts no more, 90 dB: even a constant one leaves a loss that is finite. */
const LEAST_ERROR = 1e-9;

/** The only {@link Stage}. */
function unetStage(config: LocalUnetConfig): Stage {
  const { channels, height, width, batch, lr, emaDecay, sigmaMin, sigmaMax, wavelet } = config;
  const shape = (n: number) => [n, channels, height, width];
  const inputs = (n: number) => ({ pixels: shape(n), noise: shape(n), sigma: [n] });
  const draw = logUniformLevels(sigmaMin, sigmaMax);

  /**
   * The error that is left of the noise, in dB, averaged over images: the gain in PSNR, negated. Images and levels of
   * noise count the same, however large their errors are.
   */
  const loss = (feed: BlindInputs, params: Traced<UnetState>["params"]) => {
    const noise = mul(feed.noise, reshape(feed.sigma, [feed.sigma.size, 1, 1, 1]));
    const noisy = add(mul(add(feed.pixels, 1), 0.5), noise);
    const error = mean(square(sub(unetResidual(params, noisy, wavelet), noise)), [1, 2, 3]); // [n]
    const psnr = decibels(add(error, LEAST_ERROR));
    return { loss: mean(sub(decibels(square(feed.sigma)), psnr)), psnr: mean(psnr) };
  };

  const feeds = (stream: (purpose: string) => Rng, n: number): Record<string, Feed> => {
    return {
      sigma: drawEach(stream("sigma"), n, draw),
      noise: drawNormal(stream("noise"), shape(n)),
    };
  };

  const scoreBatch = Math.min(batch, SCORE_IMAGES);
  return {
    name: STAGE,
    share: 1,
    batch,
    layout: () => layoutOf(initialState(config, SHAPES)),
    begin: ({ seed }) => initialState(config, rng(seed, `init-${STAGE}`)),
    networks: { [STAGE]: "params" },
    programs: {
      step: {
        inputs: { ...inputs(batch), lr: [] },
        build({ state, lr: rate, ...feed }: { state: Traced<UnetState>; lr: Tensor } & BlindInputs) {
          const { value, grads, aux } = valueAndGrad((params: Traced<UnetState>["params"]) =>
            loss(feed, params),
          )(state.params);
          const clipped = clipByGlobalNorm(grads, 1);
          const next = adam(state.params, clipped.grads, state.adam, { lr: rate });
          return {
            state: {
              params: next.params,
              average: ema(state.average, next.params, next.state.step, emaDecay),
              adam: next.state,
            },
            loss: value,
            psnr: aux.psnr,
            gradNorm: clipped.norm,
          };
        },
      },
    },
    select: () => "step",
    feeds: ({ seed, imagesSeen, progress, lrScale }) => ({
      ...feeds((purpose) => rng(seed, `training-${STAGE}-${purpose}`, imagesSeen), batch),
      lr: lr * lrScale * scheduleFactor(progress, { warmup: 0.03, decay: 0.97 }),
    }),
    score: {
      weights: ["average"],
      batch: scoreBatch,
      batches: Math.ceil(SCORE_IMAGES / scoreBatch),
      program: {
        inputs: inputs(scoreBatch),
        build: ({ state, ...feed }: { state: Traced<UnetState> } & BlindInputs) => {
          const { loss: score, psnr } = loss(feed, state.average);
          return { score, psnr };
        },
      },
      feeds: (seed, index) => feeds((purpose) => rng(seed, `score-${STAGE}-${purpose}`, index), scoreBatch),
    },
  };
}

/** The averaged network of a checkpoint. @throws UserError `local/format`, `nn/band-unet`, `nn/not-finite`. */
function modelOf(wavelet: string, arrays: Arrays): UnetModel {
  return unetModel(takeUnet(new Map(arrays), `${STAGE}.average`), wavelet);
}

/** A checkpoint with this network as the trained and as the averaged one. @throws UserError `local/kind` for a pyramid. */
function arraysOf(model: LocalModel): Map<string, NamedArray> {
  if (model.kind !== "unet")
    throw new UserError(
      "local/kind",
      "preset local-unet begins with a U-Net; this model has one network a band. Take --preset local.",
    );
  return namedArrays({ [STAGE]: { params: model.network, average: model.network } });
}

/** The system of a configuration. */
export function localUnet(config: LocalUnetConfig): System {
  const { channels, height, width, levels, wavelet } = config;
  const image = { channels, height, width };
  const model = (arrays: Arrays) => modelOf(wavelet, arrays);
  return {
    image,
    draw: localDraw({ channels, levels, hasDetails: false, image, model }),
    local: { model, arrays: arraysOf },
    stages: [unetStage(config)],
  };
}

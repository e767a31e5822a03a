/**
 * @module Configuration of a local model as published (Kadkhodaie et al. 2023): which networks on which bands, and the
 * noise that each is trained with. Plain data, resolved from the size of the images; a run directory keeps it whole.
 */
import { UserError } from "onnxgrad";
import { kernelsOf } from "../../nn/bf-cnn.ts";
import { planes } from "../../wavelet/planes.ts";
import { analyseMeans } from "../../wavelet/mean-bands.ts";
import { orthogonalWavelet } from "../../wavelet/wavelets.ts";
import type { LowScaling } from "../parts/band-scaling.ts";
import { type EdmLowConfig, resolveEdmLow } from "../parts/local/low-pass-prior.ts";

/** Resolved configuration of a pyramid of local denoisers, or of a flat one. */
export interface LocalConfig {
  readonly channels: 1 | 3;
  /** Pixels of the training images; multiples of 2^levels. */
  readonly height: number;
  readonly width: number;
  /** Wavelet analyses; 0: one flat network on images. */
  readonly levels: number;
  /** Name of the orthogonal wavelet; published: `haar`. */
  readonly wavelet: string;
  /** Side of the square that the details' networks see, coefficients; of the flat network, pixels. */
  readonly receptiveField: number;
  /** Feature channels of every network; published: 64. */
  readonly features: number;
  /** Images a step; published: 512. */
  readonly batch: number;
  /** Learning rate at the start; it halves after each tenth of the training. */
  readonly lr: number;
  /** Steps of the noise: sigma = (u / 255)^2, u = 0..steps - 1, in the units of the normalised band. */
  readonly noiseSteps: {
    /** Of the low-pass band, or of images. */
    readonly low: number;
    /** Of the details of each level, the finest first: up to the greatest detail in the data. */
    readonly details: readonly number[];
  };
  /**
   * Train the details' networks beside a low-pass band with noise of its own, at most as strong as that of the details,
   * instead of the clean one (published: false). In use the band they see is a denoised one.
   */
  readonly augmentConditions: boolean;
  /**
   * Show the details' networks the low-pass band with the noise it came with, beside the denoised one (published: false).
   * Such networks denoise; they cannot make details where there are none.
   */
  readonly noisyCondition: boolean;
  /** A diffusion of the low-pass band, for sampling alone (ours; published: none). */
  readonly edmLow?: EdmLowConfig | undefined;
}

/** What a configuration is made from; everything else has a default. */
export interface LocalShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly levels?: number | undefined;
  readonly wavelet?: string | undefined;
  readonly receptiveField?: number | undefined;
  readonly features?: number | undefined;
  readonly batch?: number | undefined;
  readonly lr?: number | undefined;
  readonly augmentConditions?: boolean | undefined;
  readonly noisyCondition?: boolean | undefined;
  /** Scales of the low-pass band, where a diffusion of it is wanted, and the batch of that where one was asked for. */
  readonly edmLow?: { readonly scaling: LowScaling; readonly batch?: number | undefined } | undefined;
}

/** What is chosen where nothing is asked for. */
export const LOCAL_DEFAULTS = {
  batch: 16,
  lr: 1e-3,
  width: 64,
  wavelet: "haar",
  receptiveField: 13,
  augmentConditions: false,
  noisyCondition: false,
  edmLow: false,
} as const;

/** Levels that bring the shorter side to 40 pixels or fewer: 2 for 160, 3 for 320 as published, 1 for 64. */
export function defaultLocalLevels({ height, width }: Pick<LocalShape, "height" | "width">): number {
  return Math.max(0, Math.ceil(Math.log2(Math.min(height, width) / 40)));
}

/**
 * Fills in all defaults; `greatest` are the {@link greatestDetails} of the data.
 * @throws UserError `nn/receptive-field`; `unknown/wavelet`, `wavelet/biorthogonal`; `config/wavelet` where something else
 * that was asked for has no such wavelet.
 */
export function resolveLocalConfig(shape: LocalShape, greatest: readonly number[]): LocalConfig {
  const { channels, height, width, levels = defaultLocalLevels(shape) } = shape;
  const { receptiveField = LOCAL_DEFAULTS.receptiveField, lr = LOCAL_DEFAULTS.lr } = shape;
  kernelsOf(receptiveField);
  const wavelet = orthogonalWavelet(shape.wavelet ?? LOCAL_DEFAULTS.wavelet);
  requireUseOf(wavelet, levels, shape.edmLow !== undefined);
  return {
    channels,
    height,
    width,
    levels,
    wavelet,
    receptiveField,
    features: shape.features ?? LOCAL_DEFAULTS.width,
    batch: shape.batch ?? LOCAL_DEFAULTS.batch,
    lr,
    noiseSteps: {
      low: 255,
      // At least 0 and 1, of which one is noise.
      details: greatest.slice(0, levels).map((value) => Math.max(2, Math.floor(255 * value))),
    },
    augmentConditions: shape.augmentConditions ?? false,
    noisyCondition: shape.noisyCondition ?? false,
    ...(shape.edmLow === undefined
      ? {}
      : {
          edmLow: resolveEdmLow({ channels, height, width, levels }, shape.edmLow.scaling, {
            baseWidth: shape.features,
            batch: shape.edmLow.batch,
            lr,
          }),
        }),
  };
}

/** @throws UserError `config/wavelet` for a wavelet that what else was asked for has no use for. */
export function requireUseOf(wavelet: string, levels: number, hasEdmLow: boolean): void {
  if (wavelet === "haar") return;
  if (levels === 0)
    throw new UserError(
      "config/wavelet",
      `wavelet: ${wavelet}; a flat denoiser (0 levels) has no wavelet. Leave --wavelet out, or give --levels 1 or more.`,
    );
  if (hasEdmLow)
    throw new UserError(
      "config/wavelet",
      `wavelet: ${wavelet}; the diffusion of the low-pass band learns that of Haar alone. Leave out --wavelet or --edm-low.`,
    );
}

/**
 * The greatest size of a normalised detail of each level, the finest first, over images in [-1, 1] taken as [0, 1]; read
 * one at a time through `read`. Extents must be multiples of 2^levels.
 */
export function* greatestDetails(
  {
    count,
    channels,
    height,
    width,
    levels,
    wavelet,
  }: { count: number; channels: number; height: number; width: number; levels: number; wavelet: string },
  read: (index: number) => Float32Array,
): Generator<void, number[]> {
  const greatest = new Array<number>(levels).fill(0);
  for (let i = 0; i < count; i++) {
    let low = planes(read(i), [channels, height, width]);
    for (let level = 0; level < levels; level++) {
      const bands = analyseMeans(low, wavelet);
      // Halved: [-1, 1] is twice as wide as [0, 1].
      for (const value of bands.details.data)
        greatest[level] = Math.max(greatest[level]!, Math.abs(value) / 2);
      ({ low } = bands);
    }
    yield;
  }
  return greatest;
}

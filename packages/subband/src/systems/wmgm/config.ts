/**
 * @module Configuration of the default WMGM: plain data with a default for every field, resolved from image size and
 * number of levels. A run directory keeps it whole; it is all that is needed to rebuild the networks.
 */
import type { BandScaling } from "../parts/band-scaling.ts";
import type { NoiseAt } from "../../nn/detail-generator.ts";
import type { Judged } from "./detail-stage.ts";
import { type LowDiffusionConfig, resolutions, resolveLowDiffusion } from "../parts/low-diffusion.ts";
import { requireMultiple } from "../parts/require-multiple.ts";

/** Resolved configuration of a WMGM (SGM at 0 levels). */
export interface WmgmConfig {
  /** Image channels, 1 or 3. */
  readonly channels: 1 | 3;
  /** Pixels; multiples of 2^levels. */
  readonly height: number;
  readonly width: number;
  /** Haar analyses; the diffusion lives on the low band of this level. 0: plain pixel diffusion. */
  readonly levels: number;
  /** Diffusion of the coarsest low band. */
  readonly low: LowDiffusionConfig;
  /** The multi-scale detail generator and its discriminator. */
  readonly detail: {
    /** Feature channels, one a resolution. */
    readonly widths: readonly number[];
    /** Residual blocks a resolution and direction. */
    readonly blocks: number;
    /** Where noise enters the generator: among its coarsest features, or beside the low band. */
    readonly noiseAt: NoiseAt;
    /** Noise maps. */
    readonly noiseChannels: number;
    /** What the discriminator looks at: the composed image beside its low band, or the bands. */
    readonly judged: Judged;
    /** Feature channels of the discriminator, one a resolution. */
    readonly criticWidths: readonly number[];
    /** Images a step; each is drawn twice. */
    readonly batch: number;
    /** Peak learning rates: energy score alone, generator against the discriminator, and the discriminator itself. */
    readonly lr: { readonly score: number; readonly generator: number; readonly discriminator: number };
    readonly emaDecay: number;
    /** Fraction of the stage without discriminator. */
    readonly scoreShare: number;
    /** Weight of the adversarial loss. */
    readonly adversarial: number;
    /** Weight of the repulsion between draws: 1 energy score, 0 regression. */
    readonly repulsion: number;
    /** R1 penalty and its interval in steps. */
    readonly r1Gamma: number;
    readonly r1Every: number;
    /** Largest standard deviation of the noise put on low bands in training, image range. */
    readonly augmentation: number;
    /** The level told to the generator when sampling. */
    readonly samplingAugmentation: number;
    /** Deviation of the generator's noise when sampling, unless another is asked for; it is 1 in training. */
    readonly samplingTemperature: number;
    /** Patch sizes of the energy score, in coefficients. */
    readonly patches: readonly number[];
  };
  /** Share of the training budget that goes to the low band, 0..1; the rest trains the details. */
  readonly lowShare: number;
  /** Measured from the training data. */
  readonly scaling: BandScaling;
}

/** What a configuration is made from; everything else has a default. */
export interface WmgmShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly levels?: number;
  /** Feature channels of the low-band network at its finest resolution; the detail networks follow at half. */
  readonly baseWidth?: number;
  readonly batch?: number;
  readonly lr?: number;
  readonly judged?: Judged;
  readonly noiseAt?: NoiseAt;
}

/** What is chosen where nothing is asked for. */
export const WMGM_DEFAULTS = { batch: 64, lr: 1e-3, width: 64 } as const;

/** What the discriminator looks at where nothing is asked for. */
export const DEFAULT_JUDGED: Judged = "image";

/** Where noise enters the detail generator where nothing is asked for. */
export const DEFAULT_NOISE_AT: NoiseAt = "middle";

/** Deviation of the noise that details are drawn with, where it enters in the middle. */
export const DEFAULT_TEMPERATURE = 0.8;

/** Noise maps at the extents of the bands; where there are fewer places, there are more maps of as many numbers. */
const NOISE_MAPS = 4;

/** Levels that bring the shorter side to 8 pixels, at most 5. */
export function defaultLevels(height: number, width: number): number {
  let levels = 0;
  let side = Math.min(height, width);
  while (side > 8 && levels < 5 && height % 2 ** (levels + 1) === 0 && width % 2 ** (levels + 1) === 0) {
    side /= 2;
    levels++;
  }
  return levels;
}

/**
 * Fills in all defaults.
 * @throws UserError `config/size` when the size is not a multiple of 2^levels, or a band is too small.
 */
export function resolveWmgmConfig(shape: WmgmShape, scaling: BandScaling): WmgmConfig {
  const { channels, height, width } = shape;
  const { baseWidth = WMGM_DEFAULTS.width, batch = WMGM_DEFAULTS.batch, lr = WMGM_DEFAULTS.lr } = shape;
  const { judged = DEFAULT_JUDGED, noiseAt = DEFAULT_NOISE_AT } = shape;
  const levels = shape.levels ?? defaultLevels(height, width);
  requireMultiple(height, width, levels);
  // The finest detail grid is the costly one: half the width where it is larger than 16 x 16.
  const half = Math.max(8, height * width > 32 * 32 ? baseWidth / 4 : baseWidth / 2);
  const widths = [half, 2 * half, 3 * half];
  const detailResolutions = resolutions(height / 2 ** levels, width / 2 ** levels, 3);
  return {
    channels,
    height,
    width,
    levels,
    low: resolveLowDiffusion({
      height: height / 2 ** levels,
      width: width / 2 ** levels,
      baseWidth,
      batch,
      lr,
    }),
    detail: {
      widths: widths.slice(0, detailResolutions),
      blocks: 1,
      noiseAt,
      noiseChannels: NOISE_MAPS * (noiseAt === "middle" ? 4 ** (detailResolutions - 1) : 1),
      judged,
      // The image has one resolution more than its bands.
      criticWidths: [
        ...(judged === "image" ? [half / 2] : []),
        ...widths.slice(0, Math.max(2, detailResolutions)),
      ],
      batch: Math.max(2, Math.round(batch / 2)),
      lr: { score: 2 * lr, generator: lr * 0.4, discriminator: lr * 0.4 },
      emaDecay: 0.998,
      scoreShare: 0.6,
      adversarial: 0.3,
      repulsion: 1,
      r1Gamma: 10,
      r1Every: 8,
      augmentation: 0.1,
      samplingAugmentation: 0.02,
      samplingTemperature: noiseAt === "middle" ? DEFAULT_TEMPERATURE : 1,
      patches: [1, 2, 4],
    },
    lowShare: levels === 0 ? 1 : 0.5,
    scaling,
  };
}

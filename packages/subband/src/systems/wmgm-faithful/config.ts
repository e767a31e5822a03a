/**
 * @module Configuration of `wmgm-faithful`, WMGM as its authors released it: plain data with a default for every field.
 * Every known defect is a switch that defaults to the released behaviour, those of the training loop included.
 */
import { UserError } from "onnxgrad";
import type { LowRange } from "./bands.ts";
import { RELEASED_DEFECTS, type WmgmDefects } from "./defects.ts";
import { type GeneratorWeights, RELEASED_WEIGHTS } from "./losses.ts";
import { requireMultiple } from "../parts/require-multiple.ts";

/** What is wrong with the released WMGM, its training loop included; `true` is released, `false` is the repair. */
export interface FaithfulDefects extends WmgmDefects {
  /**
   * A pass over the data for the finest scale, then one for the next coarser: the generator forgets, and the running
   * statistics end as those of the coarsest scale. Repair: scales take turns, step by step.
   */
  readonly scaleAfterScale: boolean;
  /**
   * All scales share the running statistics of batch normalisation, though their low bands differ in range. Repair:
   * each scale has its own.
   */
  readonly sharedStatistics: boolean;
  /** Sampling takes the generator as the last step left it. Repair: the moving average of its parameters. */
  readonly lastParameters: boolean;
  /**
   * The generator meets true low bands only, and generated ones when sampling. Repair: low bands get noise of a random
   * standard deviation in training.
   */
  readonly cleanConditions: boolean;
}

/** The released system: every defect in place. */
export const FAITHFUL_DEFECTS: FaithfulDefects = {
  ...RELEASED_DEFECTS,
  scaleAfterScale: true,
  sharedStatistics: true,
  lastParameters: true,
  cleanConditions: true,
};

/** How samples are drawn unless asked otherwise: 16 ancestral steps (Ho et al. 2020), as in the paper's figures 3 and 4. */
export const FAITHFUL_SAMPLING: { readonly sampler: string; readonly steps: number } = {
  sampler: "ddpm",
  steps: 16,
};

/** Resolved configuration of a `wmgm-faithful`. */
export interface WmgmFaithfulConfig {
  /** Image channels, 1 or 3. */
  readonly channels: 1 | 3;
  /** Pixels; multiples of 16 * 2^levels, since the generator pools its low bands four times. */
  readonly height: number;
  readonly width: number;
  /** Haar analyses; released: 2. 0: plain pixel diffusion. */
  readonly levels: number;
  /** Diffusion of the coarsest low band. Which flags of improved-diffusion the authors used is not known. */
  readonly low: {
    /** Feature channels at the finest resolution of the low band. */
    readonly width: number;
    /** Multiples of `width`, one a resolution. */
    readonly multipliers: readonly number[];
    /** Residual blocks a resolution and direction. */
    readonly blocks: number;
    /** Resolutions (indices of `multipliers`) with self-attention after every block. */
    readonly attention: readonly number[];
    /** Timesteps of the linear schedule of DDPM, from `betaMin` to `betaMax`. */
    readonly timesteps: number;
    readonly betaMin: number;
    readonly betaMax: number;
    /** Images a step. */
    readonly batch: number;
    /** Peak learning rate. */
    readonly lr: number;
    /** Decay of the parameter average a step. */
    readonly emaDecay: number;
  };
  /** The generator of all scales and its discriminator. */
  readonly detail: {
    /** Feature channels at the finest resolution; even. */
    readonly generatorWidth: number;
    readonly discriminatorWidth: number;
    /** Images a step. */
    readonly batch: number;
    /** Constant learning rates. */
    readonly lr: { readonly generator: number; readonly discriminator: number };
    /** Decoupled weight decay of both networks. */
    readonly weightDecay: number;
    /** Weights of the generator's losses. */
    readonly weights: GeneratorWeights;
    /** The discriminator learns in every so many-th step. */
    readonly discriminatorEvery: number;
    /** Images of one pass over the data, after which the next scale follows; all training images. */
    readonly passImages: number;
    /** Epochs (a pass for every scale) at least: passes are shorter where the budget has fewer. */
    readonly leastEpochs: number;
    /** Decay of the parameter average a step; of use without the defect `lastParameters` only. */
    readonly emaDecay: number;
    /** Largest deviation of noise on low bands, in [0, 1] images; of use without the defect `cleanConditions` only. */
    readonly augmentation: number;
  };
  /** Share of the training budget that goes to the low band, 0..1; the rest trains the details. */
  readonly lowShare: number;
  /** Measured over all training images: range of the coarsest low band of images in [0, 1], within [0, 2^levels]. */
  readonly range: LowRange;
  readonly defects: FaithfulDefects;
}

/** What a configuration is made from; everything else has a default. */
export interface WmgmFaithfulShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** Default 2, or 1 where the image is too small for 2. */
  readonly levels?: number | undefined;
  /** Feature channels of all networks at their finest resolution, even. */
  readonly baseWidth?: number | undefined;
  readonly batch?: number | undefined;
  /** Learning rate of generator and low band; the discriminator has a tenth. */
  readonly lr?: number | undefined;
}

/** What is measured from the training data. */
export interface WmgmFaithfulData {
  readonly range: LowRange;
  /** Training images. */
  readonly images: number;
}

/** Extents of the low bands must be multiples of this: four poolings. */
const UNIT = 16;

/** What is chosen where nothing is asked for. */
export const FAITHFUL_DEFAULTS = { batch: 128, lr: 1e-4, width: 64 } as const;

/** The released 2 levels, or 1 where the image does not fit them. */
export function defaultFaithfulLevels(height: number, width: number): number {
  return fits(height, width, 2) ? 2 : 1;
}

/**
 * Fills in all defaults.
 * @throws UserError `config/size` when the size does not fit the levels, `config/width` for an odd width.
 */
export function resolveWmgmFaithfulConfig(
  shape: WmgmFaithfulShape,
  { range, images }: WmgmFaithfulData,
): WmgmFaithfulConfig {
  const { channels, height, width } = shape;
  const {
    baseWidth = FAITHFUL_DEFAULTS.width,
    batch = FAITHFUL_DEFAULTS.batch,
    lr = FAITHFUL_DEFAULTS.lr,
  } = shape;
  const levels = shape.levels ?? defaultFaithfulLevels(height, width);
  requireFaithfulSize(height, width, levels);
  if (baseWidth % 2 !== 0)
    throw new UserError(
      "config/width",
      `width: ${baseWidth}; wmgm-faithful takes even ones. Use --width ${baseWidth + 1}.`,
    );
  const [h, w] = [height / 2 ** levels, width / 2 ** levels];
  const side = Math.min(h, w);
  const wanted = side >= 32 ? [1, 2, 2, 2] : side >= 16 ? [1, 2, 2] : [1, 2];
  const multipliers = wanted.filter((_, i) => h % 2 ** i === 0 && w % 2 ** i === 0);
  return {
    channels,
    height,
    width,
    levels,
    low: {
      width: baseWidth,
      multipliers,
      blocks: 2,
      // As in improved-diffusion: at 16 and 8 pixels.
      attention: multipliers.flatMap((_, i) => (side / 2 ** i <= 16 && side / 2 ** i >= 8 ? [i] : [])),
      timesteps: 1000,
      betaMin: 1e-4,
      betaMax: 2e-2,
      batch,
      lr,
      emaDecay: 0.9999,
    },
    detail: {
      generatorWidth: baseWidth,
      discriminatorWidth: baseWidth,
      batch,
      lr: { generator: lr, discriminator: lr / 10 },
      weightDecay: 0.01,
      weights: RELEASED_WEIGHTS,
      discriminatorEvery: 4,
      passImages: images,
      leastEpochs: 4,
      emaDecay: 0.999,
      augmentation: 0.05,
    },
    lowShare: levels === 0 ? 1 : 0.5,
    range,
    defects: FAITHFUL_DEFECTS,
  };
}

function fits(height: number, width: number, levels: number): boolean {
  const unit = UNIT * 2 ** levels;
  return height % unit === 0 && width % unit === 0;
}

/** @throws UserError `config/size` unless the generator can run on the low bands of all levels. */
export function requireFaithfulSize(height: number, width: number, levels: number): void {
  if (levels === 0) requireMultiple(height, width, 0);
  else if (!fits(height, width, levels)) {
    const unit = UNIT * 2 ** levels;
    const near = (n: number) => Math.max(1, Math.round(n / unit)) * unit;
    throw new UserError(
      "config/size",
      `size: ${height}x${width} does not fit wmgm-faithful at ${levels} ${levels === 1 ? "level" : "levels"}: its generator halves the low band ` +
        `4 times, so it takes multiples of ${unit}. Use --size ${near(height)}x${near(width)}, fewer --levels, or --preset wmgm.`,
    );
  }
}

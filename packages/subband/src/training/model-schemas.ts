/** @module What the configuration of each preset's system may contain, field by field. */
import { z } from "zod";
import type { LocalConfig } from "../systems/local/config.ts";
import type { LocalUnetConfig } from "../systems/local-unet/config.ts";
import type { WmgmConfig } from "../systems/wmgm/config.ts";
import type { WmgmFaithfulConfig } from "../systems/wmgm-faithful/config.ts";
import { isOrthogonal } from "../wavelet/wavelets.ts";

/** A number of things. */
export const Count: z.ZodType<number> = z.int().positive();
/** A number above 0. */
export const Positive: z.ZodType<number> = z.number().positive();
const Numbers = z.array(z.number());

const Scaling = z.strictObject({ lowMean: Numbers, lowStd: Numbers, detailRms: z.array(Numbers) });

const LowDiffusion = z.strictObject({
  width: Count,
  multipliers: z.array(Count).min(1),
  blocks: Count,
  attention: z.array(z.int().nonnegative()),
  batch: Count,
  lr: Positive,
  emaDecay: z.number().min(0).max(1),
  logMean: z.number(),
  logStd: Positive,
});

/** The configuration of preset `wmgm`. */
export const Wmgm: z.ZodType<WmgmConfig> = z.strictObject({
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
  levels: z.int().min(0).max(8),
  low: LowDiffusion,
  detail: z.strictObject({
    widths: z.array(Count).min(1),
    blocks: Count,
    noiseChannels: Count,
    criticWidths: z.array(Count).min(1),
    batch: Count,
    lr: z.strictObject({ score: Positive, generator: Positive, discriminator: Positive }),
    emaDecay: z.number().min(0).max(1),
    scoreShare: z.number().min(0).max(1),
    adversarial: z.number().nonnegative(),
    repulsion: z.number().min(0).max(1),
    r1Gamma: z.number().nonnegative(),
    r1Every: Count,
    augmentation: z.number().nonnegative(),
    samplingAugmentation: z.number().nonnegative(),
    patches: z.array(Count).min(1),
  }),
  lowShare: z.number().min(0).max(1),
  scaling: Scaling,
});

/** The configuration of preset `wmgm-faithful`. */
export const WmgmFaithful: z.ZodType<WmgmFaithfulConfig> = z.strictObject({
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
  levels: z.int().min(0).max(8),
  low: z.strictObject({
    width: Count,
    multipliers: z.array(Count).min(1),
    blocks: Count,
    attention: z.array(z.int().nonnegative()),
    timesteps: Count,
    betaMin: Positive,
    betaMax: Positive,
    batch: Count,
    lr: Positive,
    emaDecay: z.number().min(0).max(1),
  }),
  detail: z.strictObject({
    generatorWidth: z.int().positive().multipleOf(2),
    discriminatorWidth: Count,
    batch: Count,
    lr: z.strictObject({ generator: Positive, discriminator: Positive }),
    weightDecay: z.number().nonnegative(),
    weights: z.strictObject({
      adversarial: z.number().nonnegative(),
      reconstruction: z.number().nonnegative(),
      similarity: z.number().nonnegative(),
    }),
    discriminatorEvery: Count,
    passImages: Count,
    leastEpochs: Count,
    emaDecay: z.number().min(0).max(1),
    augmentation: z.number().nonnegative(),
  }),
  lowShare: z.number().min(0).max(1),
  range: z.strictObject({ least: z.number(), greatest: z.number() }),
  defects: z.strictObject({
    unscaledBands: z.boolean(),
    signedSimilarity: z.boolean(),
    boundedAdversary: z.boolean(),
    clipBeforeBackward: z.boolean(),
    eightBitLow: z.boolean(),
    scaleAfterScale: z.boolean(),
    sharedStatistics: z.boolean(),
    lastParameters: z.boolean(),
    cleanConditions: z.boolean(),
  }),
});

const Image = {
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
};

/** Runs begun before there was a choice are of Haar. */
const Wavelet = z
  .string()
  .refine(isOrthogonal, "not an orthogonal wavelet that is known here: update subband")
  .default("haar");

/** The configuration of preset `local`. */
export const Local: z.ZodType<LocalConfig> = z.strictObject({
  ...Image,
  levels: z.int().min(0).max(8),
  wavelet: Wavelet,
  receptiveField: Count,
  features: Count,
  batch: Count,
  lr: Positive,
  noiseSteps: z.strictObject({ low: Count, details: z.array(Count) }),
  augmentConditions: z.boolean(),
  /** Runs of before there was a choice: false. */
  noisyCondition: z.boolean().default(false),
  edmLow: z
    .strictObject({
      diffusion: LowDiffusion,
      share: z.number().gt(0).lt(1),
      lowMean: Numbers,
      lowStd: z.array(Positive),
    })
    .optional(),
});

/** The configuration of preset `local-unet`. */
export const LocalUnet: z.ZodType<LocalUnetConfig> = z.strictObject({
  ...Image,
  levels: z.int().min(1).max(8),
  wavelet: Wavelet,
  widths: z.array(Count).min(1),
  encoder: z.array(z.int().nonnegative()),
  decoder: z.array(z.int().nonnegative()),
  batch: Count,
  lr: Positive,
  emaDecay: z.number().min(0).max(1),
  sigmaMin: Positive,
  sigmaMax: Positive,
});

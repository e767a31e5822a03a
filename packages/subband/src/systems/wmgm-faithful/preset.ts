/** @module Preset `wmgm-faithful`: the released WMGM. */
import * as z from "zod";
import { measuredImages } from "../parts/measured-images.ts";
import { withDefaults } from "../options.ts";
import { BATCH, LEVELS, LR, SAMPLING, WIDTH } from "../parts/options.ts";
import { Count, Fraction, Image, Levels, Positive } from "../parts/schemas.ts";
import { type AnyPreset, preset } from "../preset.ts";
import {
  defaultFaithfulLevels,
  FAITHFUL_DEFAULTS,
  requireFaithfulSize,
  resolveWmgmFaithfulConfig,
  type WmgmFaithfulConfig,
} from "./config.ts";
import { measuringLowRange } from "./low.ts";
import { wmgmFaithful as wmgmFaithfulSystem } from "./wmgm-faithful.ts";

const Model: z.ZodType<WmgmFaithfulConfig> = z.strictObject({
  ...Image,
  levels: Levels,
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
    emaDecay: Fraction,
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
    emaDecay: Fraction,
    augmentation: z.number().nonnegative(),
  }),
  lowShare: Fraction,
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

/** WMGM as its authors released it. */
export const wmgmFaithful: AnyPreset = preset({
  name: "wmgm-faithful",
  summary: "WMGM as released by its authors, defects included: a baseline",
  training: { levels: LEVELS, batch: BATCH, lr: LR, width: WIDTH },
  drawing: SAMPLING,
  model: Model,
  choose(asked, { height, width }) {
    const { levels = defaultFaithfulLevels(height, width), ...others } = asked;
    requireFaithfulSize(height, width, levels);
    return { levels, ...withDefaults(FAITHFUL_DEFAULTS, others) };
  },
  *resolve({ levels, batch, lr, width: baseWidth }, images) {
    // Over all images: the released normalisation goes by the extremes.
    const { read, ...measured } = measuredImages(images, Infinity);
    const { channels, height, width, count } = images;
    return resolveWmgmFaithfulConfig(
      { channels, height, width, levels, baseWidth, batch, lr },
      { range: yield* measuringLowRange({ ...measured, levels }, read), images: count },
    );
  },
  format1: ({ levels, detail }) => ({
    levels,
    batch: detail.batch,
    lr: detail.lr.generator,
    width: detail.generatorWidth,
  }),
  system: wmgmFaithfulSystem,
});

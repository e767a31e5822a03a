/** @module Preset `wmgm`: our default. */
import * as z from "zod";
import { measuringBandScaling } from "../parts/band-scaling.ts";
import { measuredImages } from "../parts/measured-images.ts";
import { oneOf, type Option, withDefaults } from "../options.ts";
import { BATCH, LEVELS, LR, SAMPLING, WIDTH } from "../parts/options.ts";
import { Count, Fraction, Image, Levels, LowDiffusion, Positive } from "../parts/schemas.ts";
import { type AnyPreset, preset } from "../preset.ts";
import { requireMultiple } from "../parts/require-multiple.ts";
import type { NoiseAt } from "../../nn/detail-generator.ts";
import type { Judged } from "./detail-stage.ts";
import {
  DEFAULT_JUDGED,
  DEFAULT_NOISE_AT,
  defaultLevels,
  resolveWmgmConfig,
  WMGM_DEFAULTS,
  type WmgmConfig,
} from "./config.ts";
import { TEMPERATURE } from "./drawing.ts";
import { wmgm as wmgmSystem } from "./wmgm.ts";

const Numbers = z.array(z.number());

const Model: z.ZodType<WmgmConfig> = z.strictObject({
  ...Image,
  levels: Levels,
  low: LowDiffusion,
  detail: z.strictObject({
    widths: z.array(Count).min(1),
    blocks: Count,
    // Runs of before there was a choice do not say it.
    noiseAt: z.enum(["middle", "input"]).default("input"),
    noiseChannels: Count,
    // Runs of before there was a choice do not say it.
    judged: z.enum(["image", "bands"]).default("bands"),
    criticWidths: z.array(Count).min(1),
    batch: Count,
    lr: z.strictObject({ score: Positive, generator: Positive, discriminator: Positive }),
    emaDecay: Fraction,
    scoreShare: Fraction,
    adversarial: z.number().nonnegative(),
    repulsion: Fraction,
    r1Gamma: z.number().nonnegative(),
    r1Every: Count,
    augmentation: z.number().nonnegative(),
    samplingAugmentation: z.number().nonnegative(),
    samplingTemperature: z.number().nonnegative().default(1),
    patches: z.array(Count).min(1),
  }),
  lowShare: Fraction,
  scaling: z.strictObject({ lowMean: Numbers, lowStd: Numbers, detailRms: z.array(Numbers) }),
});

/** What the discriminator looks at. */
const JUDGED: Option<Judged> = oneOf(
  "--judged <what>",
  "what the discriminator of the details looks at: image (composed, beside its low band) or bands",
  ["image", "bands"],
);

/** Where noise enters the generator of details. */
const NOISE_AT: Option<NoiseAt> = oneOf(
  "--noise-at <place>",
  "where noise enters the generator of details: middle (its coarsest features) or input (beside the low band)",
  ["middle", "input"],
);

/** Diffusion on the coarsest low band, one generator for all details. */
export const wmgm: AnyPreset = preset({
  name: "wmgm",
  summary: "diffusion on the coarsest low band, one generator for all details",
  training: { levels: LEVELS, batch: BATCH, lr: LR, width: WIDTH, judged: JUDGED, noiseAt: NOISE_AT },
  earlier: { judged: "bands", noiseAt: "input" },
  drawing: { ...SAMPLING, temperature: TEMPERATURE },
  model: Model,
  choose(asked, { height, width }) {
    const {
      levels = defaultLevels(height, width),
      judged = DEFAULT_JUDGED,
      noiseAt = DEFAULT_NOISE_AT,
      ...others
    } = asked;
    requireMultiple(height, width, levels);
    return { levels, judged, noiseAt, ...withDefaults(WMGM_DEFAULTS, others) };
  },
  *resolve({ levels, batch, lr, width: baseWidth, judged, noiseAt }, images) {
    const { read, ...measured } = measuredImages(images);
    const { channels, height, width } = images;
    return resolveWmgmConfig(
      { channels, height, width, levels, baseWidth, batch, lr, judged, noiseAt },
      yield* measuringBandScaling({ ...measured, levels }, read),
    );
  },
  format1: ({ levels, low, detail }) => ({
    levels,
    batch: low.batch,
    lr: low.lr,
    width: low.width,
    judged: detail.judged,
    noiseAt: detail.noiseAt,
  }),
  system: wmgmSystem,
});

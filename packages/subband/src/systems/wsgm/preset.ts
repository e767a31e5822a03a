/** @module Preset `wsgm`: one conditional diffusion a wavelet scale. */
import * as z from "zod";
import { chooseDiffusion, DIFFUSION_OPTIONS } from "../parts/diffusion-choice.ts";
import { measuredImages } from "../parts/measured-images.ts";
import { LEVELS, SAMPLING } from "../parts/options.ts";
import { Count, Fraction, Image, Moments, Positive, Process, Unet } from "../parts/schemas.ts";
import { measuringLevels } from "../parts/standardised-bands.ts";
import { type AnyPreset, preset } from "../preset.ts";
import { defaultLevels, requireLevels, resolveWsgmConfig, type WsgmConfig } from "./config.ts";
import { SCALE_OPTIONS } from "./drawing.ts";
import { wsgm as wsgmSystem } from "./wsgm.ts";

const Model: z.ZodType<WsgmConfig> = z.strictObject({
  ...Image,
  formulation: Process,
  low: Unet,
  levels: z
    .array(z.strictObject({ moments: z.strictObject({ low: Moments, detail: Moments }), details: Unet }))
    .min(1)
    .max(8),
  batch: Count,
  lr: Positive,
  emaDecay: Fraction,
});

/** Of the low band, as WMGM's; details have half of it. */
const WIDTH = 64;

/** One conditional diffusion a wavelet scale: as released, or ours. */
export const wsgm: AnyPreset = preset({
  name: "wsgm",
  summary: "one diffusion a wavelet scale, each given the band below it",
  training: { levels: LEVELS, ...DIFFUSION_OPTIONS },
  drawing: { ...SAMPLING, ...SCALE_OPTIONS },
  model: Model,
  choose({ levels: wanted, ...asked }, image) {
    const levels = wanted ?? defaultLevels(image);
    requireLevels(image, levels);
    return { levels, ...chooseDiffusion(asked, WIDTH) };
  },
  *resolve({ levels, ...chosen }, images) {
    const moments = yield* measuringLevels(measuredImages(images), levels);
    return resolveWsgmConfig(chosen, images, moments);
  },
  system: wsgmSystem,
});

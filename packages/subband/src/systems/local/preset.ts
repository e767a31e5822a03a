/** @module Preset `local`: the published denoisers. */
import * as z from "zod";
import { kernelsOf } from "../../nn/bf-cnn.ts";
import { measuringBandScaling } from "../parts/band-scaling.ts";
import { LOCAL_DRAWING } from "../parts/local/draw.ts";
import { hasNoisyCondition, levelsOf, summarise } from "../parts/local/model.ts";
import { measuredImages } from "../parts/measured-images.ts";
import { toggle, whole, withDefaults } from "../options.ts";
import { BATCH, LEVELS, LR, WAVELET, WIDTH } from "../parts/options.ts";
import { Count, Image, Levels, LowDiffusion, Positive, Wavelet } from "../parts/schemas.ts";
import { type AnyPreset, preset } from "../preset.ts";
import { requireMultiple } from "../parts/require-multiple.ts";
import {
  defaultLocalLevels,
  greatestDetails,
  LOCAL_DEFAULTS,
  type LocalConfig,
  requireUseOf,
  resolveLocalConfig,
} from "./config.ts";
import { local as localSystem } from "./local.ts";

const Model: z.ZodType<LocalConfig> = z.strictObject({
  ...Image,
  levels: Levels,
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
      lowMean: z.array(z.number()),
      lowStd: z.array(Positive),
    })
    .optional(),
});

const TRAINING = {
  levels: LEVELS,
  batch: BATCH,
  lr: LR,
  width: WIDTH,
  wavelet: WAVELET,
  receptiveField: whole("--rf <n>", "receptive field: 5, 9, 13, 23 or 43", { least: 1 }),
  augmentConditions: toggle("--augment-conditions", "noise on the low-pass band beside details, too"),
  noisyCondition: toggle("--noisy-condition", "the noisy low-pass band beside details, too (denoises only)"),
  edmLow: toggle("--edm-low", "a diffusion of the low-pass band, too, to sample with"),
};

/** Local denoisers of the wavelet bands, as published. */
export const local: AnyPreset = preset({
  name: "local",
  summary: "local denoisers of the wavelet bands as published, or of images (--levels 0)",
  training: TRAINING,
  drawing: LOCAL_DRAWING,
  model: Model,
  choose(asked, { height, width }) {
    const { levels = defaultLocalLevels({ height, width }), ...others } = asked;
    const chosen = { levels, ...withDefaults(LOCAL_DEFAULTS, others) };
    requireMultiple(height, width, levels);
    kernelsOf(chosen.receptiveField);
    requireUseOf(chosen.wavelet, levels, chosen.edmLow);
    return chosen;
  },
  *resolve({ width: features, edmLow, ...chosen }, images, asked) {
    const { channels, height, width } = images;
    const { levels, wavelet } = chosen;
    const { read, ...measured } = measuredImages(images);
    return resolveLocalConfig(
      {
        ...{ ...chosen, channels, height, width, features },
        ...(edmLow && {
          // Its batch is larger, unless one was asked for.
          edmLow: {
            scaling: yield* measuringBandScaling({ ...measured, levels }, read),
            batch: asked.batch,
          },
        }),
      },
      yield* greatestDetails({ ...measured, levels, wavelet }, read),
    );
  },
  format1: ({
    levels,
    batch,
    lr,
    features,
    wavelet,
    receptiveField,
    augmentConditions,
    noisyCondition,
    edmLow,
  }) => ({
    ...{ levels, batch, lr, width: features, wavelet, receptiveField, augmentConditions, noisyCondition },
    edmLow: edmLow !== undefined,
  }),
  from(model) {
    if (model.kind !== "pyramid") return undefined;
    const levels = levelsOf(model);
    const { width, receptiveField } = summarise(model).at(-1)!;
    return {
      ...{ levels, width, receptiveField, noisyCondition: hasNoisyCondition(model) },
      // A flat model has no wavelet.
      ...(levels > 0 && { wavelet: model.wavelet }),
    };
  },
  system: localSystem,
});

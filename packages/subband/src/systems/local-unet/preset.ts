/** @module Preset `local-unet`: our denoiser. */
import { inOnePiece, UserError } from "onnxgrad";
import * as z from "zod";
import { bandUnetConfigOf } from "../../nn/band-unet.ts";
import { LOCAL_DRAWING } from "../parts/local/draw.ts";
import { levelsOf } from "../parts/local/model.ts";
import { withDefaults } from "../options.ts";
import { BATCH, LEVELS, LR, WAVELET, WIDTH } from "../parts/options.ts";
import { Count, Fraction, Image, Levels, Positive, Wavelet } from "../parts/schemas.ts";
import { type AnyPreset, preset } from "../preset.ts";
import { requireMultiple } from "../parts/require-multiple.ts";
import { LOCAL_UNET_DEFAULTS, type LocalUnetConfig, resolveLocalUnetConfig } from "./config.ts";
import { localUnet as localUnetSystem } from "./local-unet.ts";

const Model: z.ZodType<LocalUnetConfig> = z.strictObject({
  ...Image,
  levels: Levels.refine((levels) => levels > 0, "expected at least 1"),
  wavelet: Wavelet,
  widths: z.array(Count).min(1),
  encoder: z.array(z.int().nonnegative()),
  decoder: z.array(z.int().nonnegative()),
  batch: Count,
  lr: Positive,
  emaDecay: Fraction,
  sigmaMin: Positive,
  sigmaMax: Positive,
});

/** One denoiser of all wavelet bands. */
export const localUnet: AnyPreset = preset({
  name: "local-unet",
  summary: "one denoiser of all wavelet bands, fine to coarse and back",
  training: { levels: LEVELS, batch: BATCH, lr: LR, width: WIDTH, wavelet: WAVELET },
  drawing: LOCAL_DRAWING,
  model: Model,
  choose(asked, { height, width }) {
    const chosen = withDefaults(LOCAL_UNET_DEFAULTS, asked);
    if (chosen.levels === 0)
      throw new UserError(
        "config/levels",
        "levels: 0; a U-Net over wavelet bands has at least 1. For a flat denoiser take --preset local.",
      );
    requireMultiple(height, width, chosen.levels);
    return chosen;
  },
  resolve: ({ width: baseWidth, ...chosen }, { channels, height, width }) =>
    inOnePiece(() => resolveLocalUnetConfig({ ...chosen, channels, height, width, baseWidth })),
  format1: ({ levels, batch, lr, widths, wavelet }) => ({ levels, batch, lr, width: widths[0]!, wavelet }),
  from(model) {
    if (model.kind !== "unet") return undefined;
    const { widths } = bandUnetConfigOf(model.network);
    return { levels: levelsOf(model), width: widths[0]!, wavelet: model.wavelet };
  },
  system: localUnetSystem,
});

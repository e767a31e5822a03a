/** @module Preset `sgm`: diffusion on pixels. */
import { inOnePiece } from "onnxgrad";
import * as z from "zod";
import { chooseDiffusion, DIFFUSION_OPTIONS } from "../parts/diffusion-choice.ts";
import { SAMPLING } from "../parts/options.ts";
import { Count, Fraction, Image, Positive, Process, Unet } from "../parts/schemas.ts";
import { type AnyPreset, preset } from "../preset.ts";
import { requireEven, resolveSgmConfig, type SgmConfig } from "./config.ts";
import { sgm as sgmSystem } from "./sgm.ts";

const Model: z.ZodType<SgmConfig> = z.strictObject({
  ...Image,
  formulation: Process,
  network: Unet,
  batch: Count,
  lr: Positive,
  emaDecay: Fraction,
});

/** In a quarter of an hour on a CPU a wider network sees too few images of 32 x 32. */
const WIDTH = 32;

/** Score-based diffusion on pixels, in any formulation. */
export const sgm: AnyPreset = preset({
  name: "sgm",
  summary: "diffusion on pixels, in any formulation",
  training: DIFFUSION_OPTIONS,
  drawing: SAMPLING,
  model: Model,
  choose(asked, image) {
    requireEven(image);
    return chooseDiffusion(asked, WIDTH);
  },
  resolve: (chosen, image) => inOnePiece(() => resolveSgmConfig(chosen, image)),
  system: sgmSystem,
});

/**
 * @module What draws the coarsest low-pass band of a local model in few network calls: an EDM diffusion of that band,
 * trained beside the blind networks and used by sampling alone. The band has the range [0, 1] of the images there.
 */
import { add, mul, sub } from "onnxgrad";
import { drawBand } from "../band-diffusion.ts";
import type { SamplerChoice } from "../steps.ts";
import { coarsestLow, type LowScaling, restoreLow, standardizeLow } from "../band-scaling.ts";
import type { DiffusedBand } from "../diffused-band.ts";
import { diffusionStage } from "../diffusion-stage.ts";
import { scoreNetwork } from "../unet.ts";
import {
  type LowDiffusionConfig,
  type LowDiffusionShape,
  lowFormulation,
  lowNetwork,
  lowSchedule,
  resolveLowDiffusion,
} from "../low-diffusion.ts";
import type { DrawStep, Extents } from "../../draw.ts";
import type { Stage } from "../../stage.ts";
import type { ImageShape } from "../../system.ts";

/** Name of its stage. */
export const EDM_LOW = "edm-low";

/** Configuration of the diffusion of a low-pass band, with its mean and deviation for images in [-1, 1]. */
export interface EdmLowConfig extends LowScaling {
  readonly diffusion: LowDiffusionConfig;
  /** Of the training budget, 0..1. */
  readonly share: number;
}

/** Images, and how often they are halved. */
export interface LowPassShape extends ImageShape {
  readonly levels: number;
}

/** Share of the budget: the band decides what a picture shows, and its network is the largest. */
const SHARE = 0.4;

/** Fills in all defaults. */
export function resolveEdmLow(
  { height, width, levels }: LowPassShape,
  { lowMean, lowStd }: LowScaling,
  options: Omit<LowDiffusionShape, "height" | "width">,
): EdmLowConfig {
  const band = { height: height / 2 ** levels, width: width / 2 ** levels };
  return { diffusion: resolveLowDiffusion({ ...options, ...band }), share: SHARE, lowMean, lowStd };
}

/** The band, of images that are halved `levels` times. */
function edmLowBand(extents: Extents, levels: number, { diffusion, ...scaling }: EdmLowConfig): DiffusedBand {
  return {
    name: EDM_LOW,
    stage: EDM_LOW,
    extents,
    network: scoreNetwork(lowNetwork(extents[0]!, diffusion)),
    formulation: lowFormulation(diffusion),
    schedule: lowSchedule(extents),
    prepare: (pixels) => ({ clean: standardizeLow(coarsestLow(pixels, levels), scaling) }),
  };
}

/** The stage that trains it. */
export function edmLowStage({ levels, ...image }: LowPassShape, config: EdmLowConfig): Stage {
  const extents = [image.channels, image.height / 2 ** levels, image.width / 2 ** levels];
  return diffusionStage(edmLowBand(extents, levels, config), {
    ...config.diffusion,
    image,
    share: config.share,
  });
}

/** Extents of the band are multiples of this: the network halves it so many times. */
export function multipleOf({ diffusion }: EdmLowConfig): number {
  return 2 ** (diffusion.multipliers.length - 1);
}

/**
 * The step that draws the band, in [0, 1]; in about [-1, 1] where the band is the image (level 0).
 * @throws UserError for an unknown sampler or too few steps.
 */
export function drawEdmLow(
  config: EdmLowConfig,
  chosen: SamplerChoice,
  band: { readonly name: string; readonly gives: Extents; readonly level: number },
): DrawStep {
  const { gives, level } = band;
  return drawBand(edmLowBand(gives, level, config), chosen, {
    ...band,
    run: "low",
    finish(x) {
      const unit = mul(add(restoreLow(x, config), 1), 0.5);
      return level === 0 ? sub(mul(unit, 2), 1) : unit;
    },
  });
}

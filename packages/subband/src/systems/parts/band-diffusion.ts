/** @module Draws one band by diffusion: a score U-Net, preconditioned, walked down a schedule by any sampler. */
import { add, clamp, mul, reshape, type Tensor } from "onnxgrad";
import type { Coefficients, Formulation } from "../../diffusion/preconditioning.ts";
import { linearPlan } from "../../diffusion/samplers/samplers.ts";
import type { Schedule } from "../../diffusion/schedules/schedule.ts";
import { type Params, SHAPES } from "../../nn/layers.ts";
import { initScoreUnet, scoreUnet, type ScoreUnetConfig, type ScoreUnetParams } from "../../nn/score-unet.ts";
import type { Diffuse, DrawStep, Extents } from "../draw.ts";
import { averaged, diffuse, type SamplerChoice } from "./steps.ts";

/** A band that a diffusion was trained for. */
export interface DiffusedBand {
  /** Name of the network, and of the stage that trained it. */
  readonly name: string;
  readonly stage: string;
  readonly network: ScoreUnetConfig;
  readonly formulation: Formulation;
  readonly schedule: Schedule;
  /** Predictions are clipped to [-1, 1], as improved-diffusion does by default (`clip_denoised`); default false. */
  readonly clip?: boolean;
}

/**
 * The step that draws the band.
 * @throws UserError for an unknown sampler or too few steps.
 */
export function drawBand(
  { name, stage, network, formulation, schedule, clip = false }: DiffusedBand,
  { sampler, steps }: SamplerChoice,
  rest: Pick<Diffuse, "name" | "gives" | "level" | "state" | "run" | "finish">,
): DrawStep {
  const sigmas = schedule.sigmas(steps);
  return diffuse({
    ...rest,
    weights: averaged(name, stage, () => initScoreUnet(SHAPES, network)),
    plan: linearPlan(sampler, sigmas),
    start: sigmas[0]!,
    told: ({ sigma }): Readonly<Record<keyof Coefficients, number>> => formulation.coefficients(sigma),
    predict({ params }, x, c) {
      const denoised = denoise(params, x, c);
      return clip ? clamp(denoised, -1, 1) : denoised;
    },
  });
}

/** The denoiser D(x; sigma), one sigma for the batch (Karras et al. 2022, eq. 7): [n, c, h, w] of the band. */
function denoise(
  params: Params<ScoreUnetParams>,
  x: Tensor,
  { cSkip, cOut, cIn, cNoise }: Readonly<Record<keyof Coefficients, Tensor>>,
): Tensor {
  const raw = scoreUnet(params, mul(x, cIn), reshape(cNoise, [1]));
  return add(mul(x, cSkip), mul(raw, cOut));
}

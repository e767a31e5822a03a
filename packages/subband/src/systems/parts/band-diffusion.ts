/** @module Draws one band by diffusion: its network, preconditioned, walked down a schedule by any sampler. */
import { add, clamp, mul, reshape } from "onnxgrad";
import type { Coefficients } from "../../diffusion/preconditioning.ts";
import { linearPlan } from "../../diffusion/samplers/samplers.ts";
import { SHAPES } from "../../nn/layers.ts";
import type { Diffuse, DrawStep } from "../draw.ts";
import type { DiffusedBand } from "./diffused-band.ts";
import { averaged, diffuse, type SamplerChoice } from "./steps.ts";

/**
 * The step that draws the band.
 * @throws UserError for an unknown sampler or too few steps.
 */
export function drawBand(
  band: DiffusedBand,
  { sampler, steps }: SamplerChoice,
  rest: Pick<Diffuse, "name" | "gives" | "level" | "run" | "finish">,
): DrawStep {
  const { network, formulation, clip = false } = band;
  const sigmas = band.schedule.sigmas(steps);
  return diffuse({
    ...rest,
    state: band.extents,
    weights: averaged(band.name, band.stage, () => network.init(SHAPES)),
    plan: linearPlan(sampler, sigmas, band.sampling),
    start: sigmas[0]!,
    told: ({ sigma }): Readonly<Record<keyof Coefficients, number>> => formulation.coefficients(sigma),
    predict({ params }, x, { cSkip, cOut, cIn, cNoise }, { given }) {
      // The denoiser D(x; sigma), one sigma for the batch (Karras et al. 2022, eq. 7).
      const raw = network.run(params, mul(x, cIn), {
        noise: reshape(cNoise, [1]),
        given: band.condition?.(given!),
      });
      const denoised = add(mul(x, cSkip), mul(raw, cOut));
      return clip ? clamp(denoised, -1, 1) : denoised;
    },
  });
}

/**
 * @module Draws the coarsest low-pass band of a local model by its blind network: by stochastic ascent as published
 * (Kadkhodaie et al. 2023, algorithm 1), or by any sampler down noise levels. A flat model and a U-Net have no details:
 * their band is the image.
 */
import type { Backend } from "onnxgrad";
import { releasedSynthesis, synthesise } from "../../../diffusion/ascent/multi-scale.ts";
import { blindDenoiser, type Residual } from "../../../diffusion/ascent/residual.ts";
import type { AscentSettings } from "../../../diffusion/ascent/stochastic-ascent.ts";
import { startNoise, stepNoise } from "../../../diffusion/noise.ts";
import { atLevel, runPlan } from "../../../diffusion/samplers/plan.ts";
import { linearPlan } from "../../../diffusion/samplers/samplers.ts";
import { edmSchedule } from "../../../diffusion/schedules/edm.ts";
import type { Extents, OpenStep } from "../../draw.ts";
import type { SamplerChoice } from "../steps.ts";
import { compileDenoiser, compileResidual, type CompiledResidual } from "./denoiser.ts";
import { fallen } from "./detail-ascent.ts";
import type { LocalModel } from "./model.ts";

/** How the band is drawn: what is left out of an ascent is as in the released code, thousands of steps. */
export type BlindSampling = { readonly ascent: AscentSettings } | SamplerChoice;

/** What is drawn, and by which network. */
export interface BlindBand {
  readonly residual: Residual<Float32Array>;
  /** Values of one band. */
  readonly size: number;
  /** Whether the band is the image: it is given in about [-1, 1] then, else in [0, 1]. */
  readonly whole: boolean;
}

/**
 * Levels of noise that a blind network is led down, about middle gray. A network that is homogeneous, f(a y) = a f(y),
 * and trained on dimmed images knows no brightness or contrast of its own: both come from the start. From N(0, 1), as
 * published, faces come out all but black (a mean of 0.03 with the authors' network, before they are stretched); from
 * 0.5 + N(0, 1) with less than half the contrast of photographs, from 0.5 + 10 N(0, 1) with twice it.
 */
const SCHEDULE = edmSchedule({ sigmaMax: 3, sigmaMin: 0.01 });
const MEAN = 0.5;

/**
 * The step that draws the band.
 * @throws UserError for an unknown sampler or too few steps.
 */
export function drawBlind(
  band: BlindBand,
  method: BlindSampling,
  dispose: () => Promise<void> = () => Promise.resolve(),
): OpenStep {
  const run = "ascent" in method ? ascending(band, method.ascent) : scheduled(band, method);
  return {
    async run(given, images, onShare) {
      const found = await run(given, images, onShare);
      return band.whole ? { ...found, data: found.data.map((value) => 2 * value - 1) } : found;
    },
    dispose,
  };
}

/** Stochastic ascent, with the constants of the released code; its range is only for bands that get details. */
function ascending({ residual, size, whole }: BlindBand, ascent: AscentSettings): OpenStep["run"] {
  const { lowRange } = releasedSynthesis;
  const settings = { ...releasedSynthesis.low, ...ascent };
  return async (_, images, onShare) => {
    const { x, iterations, converged } = await synthesise({ residual, size }, [], images, {
      low: settings,
      ...(!whole && lowRange !== undefined ? { lowRange } : {}),
      onStep: (report) => onShare(fallen(report, settings)),
    });
    return { data: x, converged, calls: iterations[0]!.map((steps) => steps + 1) };
  };
}

/** Any sampler down {@link SCHEDULE}. */
function scheduled({ residual, size }: BlindBand, { sampler, steps }: SamplerChoice): OpenStep["run"] {
  const sigmas = SCHEDULE.sigmas(steps);
  const plan = linearPlan(sampler, sigmas);
  const predict = atLevel(blindDenoiser(residual));
  return async (_, images, onShare) => {
    const own = { ...images, run: "low" };
    const noise = startNoise(own, sigmas[0]!, new Float32Array(images.count * size));
    const start = noise.map((value) => value + MEAN);
    const data = await runPlan(plan, predict, start, {
      noise: stepNoise<Float32Array>(own),
      onStep: ({ step }) => onShare((step + 1) / steps),
    });
    return { data, converged: true, calls: Array.from({ length: images.count }, () => plan.length) };
  };
}

/** Compiles the network of the band of `extents`; of a U-Net, whose band is the image, all of it. */
export async function openBlind(
  backend: Backend,
  model: LocalModel,
  batch: number,
  [channels, height, width]: Extents,
  method: BlindSampling,
): Promise<OpenStep> {
  const shape = [batch, channels!, height!, width!] as const;
  const { residual, dispose } = await compileBlind(backend, model, shape);
  const whole = model.kind === "unet" || model.details.length === 0;
  return drawBlind({ residual, size: channels! * height! * width!, whole }, method, dispose);
}

async function compileBlind(
  backend: Backend,
  model: LocalModel,
  shape: readonly [number, number, number, number],
): Promise<CompiledResidual> {
  if (model.kind === "pyramid") return compileResidual(backend, model.low, shape, { reuse: true });
  const { run, dispose } = await compileDenoiser(backend, model, shape, { reuse: true });
  const noise = new Float32Array(shape.reduce((a, b) => a * b));
  return {
    async residual(y) {
      const { image } = await run(y);
      for (let i = 0; i < noise.length; i++) noise[i] = y[i]! - image[i]!;
      return noise;
    },
    dispose,
  };
}

/**
 * @module Draws images from a local model (Kadkhodaie et al. 2023, algorithm 2): the coarsest low-pass band, then the
 * details of each level by stochastic ascent given the band above. The band comes from stochastic ascent as published,
 * from any sampler down noise levels on the same blind network, or from a diffusion that was trained for it. A flat model
 * and a U-Net have no details: their band is the image. Image i depends on (seed, i) alone.
 */
import { UserError } from "onnxgrad";
import {
  type DetailScale,
  type MultiScaleReport,
  releasedSynthesis,
  synthesise,
  synthesiseDetails,
} from "../../../diffusion/ascent/multi-scale.ts";
import { blindDenoiser } from "../../../diffusion/ascent/residual.ts";
import type { AscentSettings } from "../../../diffusion/ascent/stochastic-ascent.ts";
import { type ImageRange, startNoise, stepNoise } from "../../../diffusion/noise.ts";
import { atLevel, runPlan } from "../../../diffusion/samplers/plan.ts";
import { linearPlan } from "../../../diffusion/samplers/samplers.ts";
import { edmSchedule } from "../../../diffusion/schedules/edm.ts";
import type { LocalSampler } from "./sampler.ts";
import { lowSchedule } from "../low-diffusion.ts";

/** How the low-pass band is drawn. */
export type LowPassSampling = AscentSampling | ScheduledSampling;

/** By stochastic ascent on the blind network; what is left out is as in the released code, thousands of steps. */
export interface AscentSampling {
  readonly ascent: AscentSettings;
}

/** By a sampler down noise levels: of the prior where there is one, else of the blind network. */
export interface ScheduledSampling {
  /** Name, e.g. `dpmpp2m`. */
  readonly sampler: string;
  readonly steps: number;
}

/** What is to be drawn. */
export interface LocalSamplingRequest {
  readonly seed: number;
  /** Index of the first image; default 0. */
  readonly first?: number;
  readonly count: number;
  readonly low: LowPassSampling;
  /** Stochastic ascent of the details of every level; default {@link DETAIL_ASCENT}. */
  readonly details?: AscentSettings;
  /**
   * The strongest noise that the networks of details know, the finest level first: their ascent starts there. Default
   * 1/4 each: details of images in [0, 1] are at most 1/2, and networks are trained up to the square of the greatest.
   */
  readonly detailNoise?: readonly number[] | undefined;
  /**
   * Called with the number of images done, a fraction within a batch, and awaited; throw from it to stop. It must not
   * wait for another drawing with the same sampler.
   */
  readonly onProgress?: (done: number) => void | Promise<void>;
}

/** Images and what they cost. */
export interface LocalSamples {
  /** [count, channels, height, width], about [-1, 1]. */
  readonly data: Float32Array;
  /** Network calls an image, on average: on the low-pass band, and for the details. Images stop one by one. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
  /** Whether every ascent reached its floor. */
  readonly converged: boolean;
}

/**
 * Settings of the details' ascent (Kadkhodaie et al. 2023, figures 5 to 7), but for its start: published is 1, four times
 * what the networks learn and more.
 */
export const DETAIL_ASCENT: AscentSettings = { h0: 0.01, beta: 0.1, sigmaInf: 0.01 };

/** Start of the details' ascent where the training is not known. */
export const DETAIL_SIGMA = 0.25;

/**
 * Levels of noise that a blind network is led down, about middle gray. A network that is homogeneous, f(a y) = a f(y),
 * and trained on dimmed images knows no brightness or contrast of its own: both come from the start. From N(0, 1), as
 * published, faces come out all but black (a mean of 0.03 with the authors' network, before they are stretched); from
 * 0.5 + N(0, 1) with less than half the contrast of photographs, from 0.5 + 10 N(0, 1) with twice it.
 */
const BLIND_SCHEDULE = edmSchedule({ sigmaMax: 3, sigmaMin: 0.01 });
const BLIND_MEAN = 0.5;

/** Low-pass bands [batch, c, h, w] in [0, 1], and the calls that each took. */
interface DrawnLow {
  readonly x: Float32Array;
  readonly calls: readonly number[];
  readonly converged: boolean;
}

type DrawLow = (images: ImageRange, onShare: (share: number) => void | Promise<void>) => Promise<DrawnLow>;

/**
 * Draws `count` images, a compiled batch at a time; the last batch is filled up with images that are thrown away. Of
 * several drawings with one sampler each waits for those before.
 * @throws UserError for an unknown sampler or too few steps; `sample/ascent` for stochastic ascent on a prior;
 * `run/disposed`; what `stochasticAscent` throws.
 *
 * @example
 * const { model, run } = loadModel("runs/faces");
 * const sampler = await compileLocalSampler(node(), model, run?.prior, { batch: 16, height: 64, width: 64 });
 * const { data } = await sampleLocal(sampler, { seed: 0, count: 16, low: { sampler: "dpmpp2m", steps: 20 } });
 */
export async function sampleLocal(
  sampler: LocalSampler,
  request: LocalSamplingRequest,
): Promise<LocalSamples> {
  const { seed, first = 0, count, low, details = DETAIL_ASCENT, onProgress } = request;
  const scales = scalesFrom(sampler.scales, details, request.detailNoise);
  const drawLow = "ascent" in low ? ascending(sampler, low) : scheduled(sampler, low);
  const bands = sampler.scales.length + 1;
  const size = sampler.image.reduce((a, b) => a * b);
  const data = new Float32Array(count * size);
  const draw = async (): Promise<LocalSamples> => {
    let [nfeLow, nfeDetail, converged] = [0, 0, true];
    for (let start = 0; start < count; start += sampler.batch) {
      const images: ImageRange = { seed, first: first + start, count: sampler.batch };
      const wanted = Math.min(sampler.batch, count - start);
      const total = (calls: readonly number[]): number => calls.slice(0, wanted).reduce((a, b) => a + b, 0);
      const tell = (band: number, share: number): void | Promise<void> =>
        onProgress?.(start + (wanted * (band + share)) / bands);
      const band = await drawLow(images, (share) => tell(0, share));
      const found = await synthesiseDetails(band.x, scales, images, {
        onStep(report) {
          const at = scales.length - Number(report.band.slice("details-".length));
          return tell(at + 1, fallen(report, scales[at]!.settings!));
        },
      });
      nfeLow += total(band.calls);
      // One call more for the final denoising of each level.
      nfeDetail += found.iterations.reduce((sum, steps) => sum + total(steps) + wanted, 0);
      converged &&= band.converged && found.converged;
      for (let i = 0; i < wanted * size; i++) data[start * size + i] = 2 * found.x[i]! - 1;
      await onProgress?.(start + wanted);
    }
    return { data, nfeLow: nfeLow / count, nfeDetail: nfeDetail / count, converged };
  };
  return sampler.alone?.(draw) ?? draw();
}

/** The scales, each with its settings and its own start. */
export function scalesFrom(
  scales: readonly DetailScale[],
  details: AscentSettings,
  noise: readonly number[] | undefined,
): readonly DetailScale[] {
  return scales.map((scale, i) => ({
    ...scale,
    settings: { sigma0: noise?.[scales.length - 1 - i] ?? DETAIL_SIGMA, ...details },
  }));
}

/** How much of the way to its floor an ascent has made, 0..1, on the scale of ln sigma. */
export function fallen({ sigma }: MultiScaleReport, { sigma0 = 1, sigmaInf = 0.01 }: AscentSettings): number {
  return Math.min(1, Math.max(0, Math.log(sigma0 / sigma) / Math.log(sigma0 / sigmaInf)));
}

/** Algorithm 1, with the constants of the released code; its range is only for bands that get details. */
function ascending({ low, lowSize, scales }: LocalSampler, { ascent }: AscentSampling): DrawLow {
  if (low.kind !== "blind")
    throw new UserError(
      "sample/ascent",
      "stochastic ascent runs on the blind network; compile without prior.",
    );
  const { lowRange } = releasedSynthesis;
  const settings = { ...releasedSynthesis.low, ...ascent };
  const target = { residual: low.residual, size: lowSize };
  return async (images, onShare) => {
    const { x, iterations, converged } = await synthesise(target, [], images, {
      low: settings,
      ...(scales.length > 0 && lowRange !== undefined ? { lowRange } : {}),
      onStep: (report) => onShare(fallen(report, settings)),
    });
    return { x, converged, calls: iterations[0]!.map((steps) => steps + 1) };
  };
}

/** Any sampler, on either network. */
function scheduled({ low, lowSize }: LocalSampler, { sampler, steps }: ScheduledSampling): DrawLow {
  const sigmas = (low.kind === "prior" ? lowSchedule : BLIND_SCHEDULE).sigmas(steps);
  const plan = linearPlan(sampler, sigmas);
  const denoise = low.kind === "prior" ? low.denoise : blindDenoiser(low.residual);
  const mean = low.kind === "prior" ? 0 : BLIND_MEAN;
  return async (images, onShare) => {
    const run = { ...images, run: "low" };
    const noise = startNoise(run, sigmas[0]!, new Float32Array(images.count * lowSize));
    const end = await runPlan(
      plan,
      atLevel(denoise),
      noise.map((value) => value + mean),
      {
        noise: stepNoise<Float32Array>(run),
        onStep: ({ step }) => onShare((step + 1) / steps),
      },
    );
    const x = low.kind === "prior" ? (await low.restore(end)).slice() : end;
    return { x, converged: true, calls: Array.from({ length: images.count }, () => plan.length) };
  };
}

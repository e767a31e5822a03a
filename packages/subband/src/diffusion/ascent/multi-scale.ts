/**
 * @module Multi-scale synthesis (Kadkhodaie et al. 2023, algorithm 2): a low-pass image by stochastic ascent, then scale
 * by scale the details given the low-pass, and the inverse wavelet of both. Started from a given low-pass it is
 * stochastic super-resolution. The wavelet is a function; `joinMeans()` is the published one.
 */
import { UserError } from "onnxgrad";
import { type ImageRange, startNoise, stepNoise } from "../noise.ts";
import type { Residual } from "./residual.ts";
import {
  type Ascent,
  type AscentReport,
  type AscentSettings,
  stochasticAscent,
} from "./stochastic-ascent.ts";

/** Clean flat low-pass images [n, c, h, w] to the residual of their details [n, 3c, h, w]. */
export type ConditionalResidual = (low: Float32Array) => Residual<Float32Array>;

/** One scale of details. */
export interface DetailScale {
  readonly residual: ConditionalResidual;
  /** Flat low-pass and details to the image of the next finer scale, over the whole batch. */
  inverse(low: Float32Array, details: Float32Array): Float32Array;
  /** Default: those of the call. */
  readonly settings?: AscentSettings;
}

/** What synthesis is told of its scales. */
export interface MultiScaleSettings {
  /** Settings of every scale of details that has none of its own. */
  readonly details?: AscentSettings;
  readonly onStep?: (report: MultiScaleReport) => void | Promise<void>;
}

/** What is told after each step. */
export interface MultiScaleReport extends AscentReport {
  /** `low`, or `details-j` with j = 1 at the finest scale. */
  readonly band: string;
}

/** What came out, and what it took. */
export interface MultiScaleResult {
  /** Flat images of the finest scale. */
  readonly x: Float32Array;
  /** Steps of each image, one row an ascent, coarsest first. */
  readonly iterations: readonly (readonly number[])[];
  /** Whether every ascent of every image reached its floor. */
  readonly converged: boolean;
}

/**
 * Draws the details of all `scales`, coarsest first, on top of flat low-pass images.
 * @throws UserError `diffusion/ascent` when the low-pass is not whole images; what `stochasticAscent` throws.
 *
 * @example
 * const haar = (h: number, w: number) => (low: Float32Array, details: Float32Array) =>
 *   joinMeans({ low: planes(low, [1, 1, h, w]), details: planes(details, [1, 3, h, w]) }).data;
 * const scales = [{ residual: (low) => conditionalResidual(network, low, 1), inverse: haar(40, 40) }];
 * const { x } = await synthesiseDetails(low, scales, { seed: 1, count: 1 }, { details: { beta: 0.5 } });
 */
export async function synthesiseDetails(
  low: Float32Array,
  scales: readonly DetailScale[],
  images: ImageRange,
  settings: MultiScaleSettings = {},
): Promise<MultiScaleResult> {
  const { count } = images;
  if (low.length === 0 || low.length % count !== 0)
    throw new UserError(
      "diffusion/ascent",
      `low-pass: ${low.length} values; expected a positive multiple of the ${count} images.`,
    );
  const iterations: (readonly number[])[] = [];
  let [x, converged] = [low, true];
  for (const [i, { residual, inverse, settings: own }] of scales.entries()) {
    const band = `details-${scales.length - i}`;
    const ascent = await climb(
      { band, size: (3 * x.length) / count, residual: residual(x) },
      images,
      own ?? settings.details ?? {},
      settings,
    );
    x = inverse(x, ascent.x);
    iterations.push(ascent.iterations);
    converged &&= ascent.converged.every(Boolean);
  }
  return { x, iterations, converged };
}

/** The coarsest image of a synthesis. */
export interface LowScale {
  readonly residual: Residual<Float32Array>;
  /** Values of one low-pass image. */
  readonly size: number;
}

/** What synthesis from noise is told. */
export interface SynthesisSettings extends MultiScaleSettings {
  /** Settings of the low-pass. */
  readonly low?: AscentSettings;
  /**
   * Stretches each low-pass image to this range before the details are drawn, as the released code does with
   * [0, 0.8]; default none, because it changes what was sampled.
   */
  readonly lowRange?: readonly [number, number];
}

/** The settings of the released notebook for synthesis of faces; pass them to {@link synthesise} to be faithful. */
export const releasedSynthesis: SynthesisSettings = {
  low: { beta: 0.01, rising: false, sigmaInf: 0.05, stop: "relative" },
  details: { beta: 1, stop: "relative" },
  lowRange: [0, 0.8],
};

/**
 * Synthesises images from noise: the low-pass, then {@link synthesiseDetails}.
 * @throws UserError what `stochasticAscent` throws.
 */
export async function synthesise(
  low: LowScale,
  scales: readonly DetailScale[],
  images: ImageRange,
  settings: SynthesisSettings = {},
): Promise<MultiScaleResult> {
  const { lowRange } = settings;
  const ascent = await climb({ ...low, band: "low" }, images, settings.low ?? {}, settings);
  if (lowRange !== undefined)
    for (let i = 0; i < images.count; i++)
      stretch(ascent.x.subarray(i * low.size, (i + 1) * low.size), lowRange);
  const rest = await synthesiseDetails(ascent.x, scales, images, settings);
  return {
    x: rest.x,
    iterations: [ascent.iterations, ...rest.iterations],
    converged: ascent.converged.every(Boolean) && rest.converged,
  };
}

/** Stochastic ascent of one band, from noise of its own. */
async function climb(
  target: LowScale & { readonly band: string },
  images: ImageRange,
  ascent: AscentSettings,
  { onStep }: MultiScaleSettings,
): Promise<Ascent<Float32Array>> {
  const { band, size, residual } = target;
  const run = { ...images, run: images.run === undefined ? band : `${images.run}-${band}` };
  const start = startNoise(run, ascent.sigma0 ?? 1, new Float32Array(images.count * size));
  return stochasticAscent(residual, start, {
    ...ascent,
    count: images.count,
    noise: stepNoise(run),
    ...(onStep === undefined ? {} : { onStep: (report) => onStep({ ...report, band }) }),
  });
}

/** Maps the least and greatest of `values` to the ends of `range`; a constant stays as it is. */
export function stretch(values: Float32Array, [least, greatest]: readonly [number, number]): void {
  let [low, high] = [Infinity, -Infinity];
  for (const value of values) [low, high] = [Math.min(low, value), Math.max(high, value)];
  if (!(high > low)) return;
  for (let i = 0; i < values.length; i++)
    values[i] = least + ((values[i]! - low) / (high - low)) * (greatest - least);
}

/**
 * @module Samples of what a picture may have been, given what was measured of it, with a local model as the prior. Each
 * step denoises, projects onto the data, and adds fresh noise of the next lower level: the ascent of Kadkhodaie and
 * Simoncelli (2021) at its largest step, on a schedule. A hole is thus decided anew at every level by what surrounds it.
 * In 60 steps it fills scratches 8 dB nearer to the truth than a deterministic sampler, which keeps what its start noise
 * put there, and enlarges 1 dB nearer; the price is that its samples differ less than they should.
 */
import { UserError } from "onnxgrad";
import { constrainedResidual, type MeasuredData } from "../diffusion/ascent/constrained.ts";
import type { Residual } from "../diffusion/ascent/residual.ts";
import { startNoise, stepNoise } from "../diffusion/noise.ts";
import { sampleMoments } from "../diffusion/sample-moments.ts";
import { edmSchedule } from "../diffusion/schedules/edm.ts";
import { arraySource } from "./image-source.ts";
import { denoiseToArray, type OnShare, type TiledDenoiser } from "./tiled-denoiser.ts";

/** How samples are drawn. */
export interface PosteriorOptions {
  readonly seed: number;
  /** Samples, 1 or more; the result is their mean. */
  readonly samples: number;
  readonly onShare?: OnShare;
  /** The part of a picture that is sampled, where it is one of several: each draws noise of its own. */
  readonly part?: string;
}

/** Mean and spread of the samples of one image, flat. */
export interface Posterior {
  readonly mean: Float32Array;
  /** Standard deviation of each value; absent for a single sample. */
  readonly deviation?: Float32Array;
}

const STEPS = 60;
const SIGMA_MAX = 2;
const SIGMA_MIN = 0.01;

/** Values of all samples that are drawn at once; bounds the memory. */
const VALUES_AT_ONCE = 4e6;
/** Values of one image; above, the state of the sampler alone would take gigabytes. */
const MOST_VALUES = 36e6;

/** The noise in flat images of one shape, by a model over tiles; right at least where `wanted` [height, width] is 1. */
export function tiledResidual(
  denoiser: TiledDenoiser,
  shape: readonly [channels: number, height: number, width: number],
  wanted?: Uint8Array,
): Residual<Float32Array> {
  const size = shape[0] * shape[1] * shape[2];
  return async (y) => {
    const noise = await denoiseToArray(
      denoiser,
      arraySource(y, [y.length / size, ...shape]),
      undefined,
      wanted,
    );
    for (let i = 0; i < y.length; i++) noise[i] = y[i]! - noise[i]!;
    return noise;
  };
}

/**
 * Draws images that have the measured data and takes their mean. Sample i depends on (seed, plane, part, i) alone.
 * @throws UserError `restoration/too-large` for images that would not fit in memory.
 */
export async function samplePosterior(
  residual: Residual<Float32Array>,
  data: MeasuredData,
  plane: number,
  options: PosteriorOptions,
): Promise<Posterior> {
  const { seed, samples, onShare, part } = options;
  const { size } = data.measurement;
  const atOnce = samplesAtOnce(size, samples);
  const constrained = constrainedResidual(residual, data);
  const moments = sampleMoments(size);
  const sigmas = edmSchedule({ sigmaMax: SIGMA_MAX, sigmaMin: SIGMA_MIN }).sigmas(STEPS);
  const level = constantOf(data);
  const run = `plane-${plane}${part === undefined ? "" : `-${part}`}`;
  for (let first = 0; first < samples; first += atOnce) {
    const images = { seed, first, count: Math.min(atOnce, samples - first), run };
    const fresh = stepNoise<Float32Array>(images);
    const z = new Float32Array(images.count * size);
    const x = startNoise(images, SIGMA_MAX, new Float32Array(z.length)).map((value) => value + level);
    for (let step = 0; step < STEPS; step++) {
      const noise = await constrained(x);
      const next = step === STEPS - 1 ? 0 : sigmas[step + 1]!;
      if (next > 0) fresh(step, z);
      for (let i = 0; i < x.length; i++) x[i] = x[i]! - noise[i]! + next * z[i]!;
      await onShare?.((first + (images.count * (step + 1)) / STEPS) / samples);
    }
    moments.add(x);
  }
  return { mean: moments.mean(), ...(samples > 1 && { deviation: moments.std() }) };
}

/**
 * How many of `samples` images of `size` values are drawn together.
 * @throws UserError `restoration/too-large` for images that would not fit in memory.
 */
export function samplesAtOnce(size: number, samples: number): number {
  if (size > MOST_VALUES)
    throw new UserError(
      "restoration/too-large",
      `too large to sample: ${(size / 1e6).toFixed(0)} megapixels, the most is ${MOST_VALUES / 1e6}. Cut the picture ` +
        `into pieces.`,
    );
  return Math.max(1, Math.min(samples, Math.floor(VALUES_AT_ONCE / size)));
}

/** The constant image that agrees best with the data. */
function constantOf({ measurement, values }: MeasuredData): number {
  const ones = measurement.measure(new Float32Array(measurement.size).fill(1));
  let [product, square] = [0, 0];
  for (let i = 0; i < ones.length; i++) {
    product += ones[i]! * values[i]!;
    square += ones[i]! * ones[i]!;
  }
  return square === 0 ? 0 : product / square;
}

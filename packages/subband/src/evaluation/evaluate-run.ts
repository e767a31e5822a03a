/**
 * @module Measures a trained run against its data: moments of every band, radial spectrum, and how much the details vary
 * over the noise input when the low band is held fixed. Distances in a learned feature space are not computed here.
 */
import { type Backend, rng } from "onnxgrad";
import { compileDraw, type CompiledDraw } from "../drawing/compile-draw.ts";
import { networkCalls } from "../drawing/network-calls.ts";
import type { ImageSource } from "../images/image-source.ts";
import { greyImages, radialPowerSpectrum, radialSpectrumError } from "../spectrum/radial.ts";
import type { Arrays, DrawChoice } from "../systems/draw.ts";
import type { ImageShape, Pyramid, System } from "../systems/system.ts";
import { splitBlocks } from "../wavelet/haar.ts";
import { meanSpectrum, spectrumFloor } from "./spectrum-floor.ts";
import { type BandComparison, bandReport, bandStatistics, conditionalSpread } from "./band-report.ts";

/** What is measured, and how the images are drawn. */
export interface EvaluationRequest {
  /** How the images are drawn. */
  readonly chosen: DrawChoice;
  /** Images to generate, and real ones to compare with, as far as there are so many. */
  readonly count: number;
  /** Of the generated images, and of the choice of real ones. */
  readonly seed: number;
  readonly onProgress?: (done: number) => void | Promise<void>;
}

/** The figures of one run. */
export interface Evaluation {
  /** Real images compared with. */
  readonly count: number;
  readonly generated: number;
  readonly nfeLow: number;
  readonly nfeDetail: number;
  /** Mean |log10 P_generated - log10 P_real| over radial frequencies 1..N/2 of grey images. */
  readonly radialSpectrumError: number;
  /** The same error between disjoint sets of real images, see `spectrumFloor()`: what is left to gain ends here. */
  readonly radialSpectrumFloor: number | undefined;
  readonly bands: readonly BandComparison[];
  /**
   * Standard deviation over the noise input at fixed real low bands, in units of each level's root mean square; index 0
   * is level 1, the finest. Undefined for systems that have not measured those.
   */
  readonly spread: readonly number[] | undefined;
  /** The generated images [count, channels, height, width]. */
  readonly images: Float32Array;
}

/** Low bands whose details are drawn again, and draws of each. */
const SPREAD_IMAGES = 64;
const SPREAD_DRAWS = 4;
const BATCH = 64;

/**
 * Generates, and compares with real images drawn from `source` at random, the same for the same seed.
 * @throws UserError for an unknown sampler, or arrays of another system.
 */
export async function evaluateRun(
  { image, pyramid, draw }: Pick<System, "image" | "draw"> & { readonly pyramid: Pyramid },
  tensors: Arrays,
  source: ImageSource,
  backend: Backend,
  request: EvaluationRequest,
): Promise<Evaluation> {
  const { channels, height, width } = image;
  const drawing = await compileDraw(backend, draw.steps(request.chosen), tensors, BATCH);
  const { data: images, calls } = await drawing.run(request);
  const count = Math.min(request.count, source.count);
  const order = rng(request.seed, "real-images").permutation(source.count);
  const real = readImages(source, order.subarray(0, count));
  // More than are compared with, where there are more, so that the floor is of sets as large.
  const spectra = [...order.subarray(0, 2 * count)].map((i) =>
    spectrumOf(readImages(source, Uint32Array.of(i)), image),
  );
  const moments = (data: Float32Array, n: number) =>
    bandStatistics({ data, shape: [n, channels, height, width] }, pyramid.levels);
  const spread = await detailSpread(
    drawing,
    pyramid,
    real.subarray(0, SPREAD_IMAGES * channels * height * width),
    image,
    request.seed,
  );
  await drawing.dispose();
  return {
    count,
    generated: request.count,
    ...networkCalls(calls),
    radialSpectrumError: radialSpectrumError(
      spectrumOf(images, image),
      meanSpectrum(spectra.slice(0, count)),
    ),
    radialSpectrumFloor: spectrumFloor(spectra, { generated: request.count, real: count }, request.seed),
    bands: bandReport(moments(images, request.count), moments(real, count)),
    spread,
    images,
  };
}

/** Images of a source by number. */
function readImages(source: ImageSource, indices: Uint32Array): Float32Array {
  const size = source.channels * source.height * source.width;
  const out = new Float32Array(indices.length * size);
  for (const [i, index] of indices.entries()) source.read(index, false, out, i * size);
  return out;
}

/** Mean radial spectrum of the grey versions of flat images. */
function spectrumOf(pixels: Float32Array, { channels, height, width }: ImageShape): Float64Array {
  return radialPowerSpectrum(greyImages(pixels, channels, height, width), height, width);
}

/** Spread over the noise input, level by level, from the real coarsest low bands of `images`; each draw has other noise. */
async function detailSpread(
  drawing: CompiledDraw,
  { levels, detailRms }: Pyramid,
  images: Float32Array,
  image: ImageShape,
  seed: number,
): Promise<number[] | undefined> {
  if (levels === 0 || detailRms === undefined) return undefined;
  const count = images.length / (image.channels * image.height * image.width);
  const given = analyse(images, image, levels).at(-1)!.low;
  const step = 1 + drawing.steps.findIndex(({ level }) => level === levels);
  const draws: Float32Array[][] = []; // [draw][level - 1]
  for (let draw = 0; draw < SPREAD_DRAWS; draw++) {
    const { data } = await drawing.run({ seed, first: draw * count, count, from: { step, given } });
    draws.push(analyse(data, image, levels).map(({ details }) => details));
  }
  return detailRms.map((level, i) => {
    const rms = Math.sqrt(level.reduce((total, value) => total + value * value, 0) / level.length);
    return conditionalSpread(draws.map((details) => details[i]!)) / rms;
  });
}

/** Image-range pyramid of planar images: for each level from the finest, the low band and all details. */
function analyse(
  images: Float32Array,
  image: ImageShape,
  levels: number,
): { low: Float32Array; details: Float32Array }[] {
  let above = images;
  return Array.from({ length: levels }, (_, i) => {
    const size = above.length / 4;
    const low = new Float32Array(size);
    const details = new Float32Array(3 * size);
    const [cH, cV, cD] = [0, 1, 2].map((b) => details.subarray(b * size, (b + 1) * size)) as [
      Float32Array,
      Float32Array,
      Float32Array,
    ];
    splitBlocks(above, image.width / 2 ** (i + 1), low, cH, cV, cD);
    above = low.map((value) => value / 2);
    return { low: above, details };
  });
}

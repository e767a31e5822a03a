/**
 * @module Standardised bands: each band of each Haar level, the low one included, less its mean and divided by its
 * deviation, channel by channel as in WSGM (Guth et al. 2022). Low bands are means of blocks, so that they have the range
 * of the image at every level; what is standardised does not depend on that.
 */
import { add, constant, mul, sub, type Tensor } from "onnxgrad";
import { bandMoments } from "../../wavelet/band-statistics.ts";
import { haarAnalysis, haarSynthesis } from "../../wavelet/graph.ts";
import type { Planes } from "../../wavelet/planes.ts";
import { wavedec2 } from "../../wavelet/wavedec.ts";
import type { MeasuredImages } from "./measured-images.ts";

/** Mean and deviation of a band, one a channel; plain numbers, kept in `run.json`. */
export interface Moments {
  readonly mean: readonly number[];
  readonly std: readonly number[];
}

/** Moments of one level. */
export interface LevelMoments {
  readonly low: Moments;
  /** Of LH, HL and HH, each of all channels. */
  readonly detail: Moments;
}

/** The bands of one level. */
export interface LevelBands {
  /** Mean of every 2 x 2 block: [n, c, h, w]. */
  readonly low: Tensor;
  /** [n, 3c, h, w], orthonormal on the low band above. */
  readonly detail: Tensor;
}

/** Smallest deviation that is divided by: a band that is empty in the data stays empty. */
const FLOOR = 1e-4;

/** Measures the moments of each level, the finest first, an image a piece; extents are multiples of 2^levels. */
export function* measuringLevels(
  images: MeasuredImages,
  levels: number,
): Generator<void, readonly LevelMoments[]> {
  const { count, channels, height, width } = images;
  const streams = Array.from({ length: levels }, () => bandMoments());
  for (let i = 0; i < count; i++) {
    let above: Planes<Float32Array> = { data: images.read(i), shape: [channels, height, width] };
    for (const stream of streams) {
      const [cA, ...details] = wavedec2(above, "haar", "periodization", 1);
      const low = { data: cA.data.map((value) => value / 2), shape: cA.shape };
      stream.add([low, ...details]);
      above = low;
    }
    yield;
  }
  return streams.map((stream) => {
    const [low, ...details] = stream.result().map(({ mean, std }) => ({ mean, std }));
    return { low: floored([low!]), detail: floored(details) };
  });
}

/** Moments of several bands as of one. */
function floored(bands: readonly Moments[]): Moments {
  return {
    mean: bands.flatMap(({ mean }) => mean),
    std: bands.flatMap(({ std }) => std.map((value) => Math.max(FLOOR, value))),
  };
}

/** One level of analysis of an image, or of the low band of the level before. */
export function analyse(image: Tensor): LevelBands {
  const { low, detail } = haarAnalysis(image);
  return { low: mul(low, 0.5), detail };
}

/** Inverts {@link analyse}. */
export function synthesise({ low, detail }: LevelBands): Tensor {
  return haarSynthesis(mul(low, 2), detail);
}

/** The low band of pixels [n, c, h, w] after `levels` analyses. */
export function lowBand(pixels: Tensor, levels: number): Tensor {
  let low = pixels;
  for (let level = 0; level < levels; level++) low = analyse(low).low;
  return low;
}

/** (band - mean) / std of [n, c, h, w]. */
export function standardise(band: Tensor, { mean, std }: Moments): Tensor {
  return mul(sub(band, perChannel(mean)), perChannel(std.map((value) => 1 / value)));
}

/** Inverts {@link standardise}. */
export function restore(standardised: Tensor, { mean, std }: Moments): Tensor {
  return add(mul(standardised, perChannel(std)), perChannel(mean));
}

const perChannel = (values: readonly number[]): Tensor => constant(values, [1, values.length, 1, 1]);

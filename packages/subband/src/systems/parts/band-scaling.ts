/**
 * @module Scaling of the bands. All bands are those of the image-range pyramid: the low band of level j is LL / 2^j, so
 * that it has the range of the image at every level; details are divided by their root mean square, the coarsest low
 * band by its standard deviation, channel by channel.
 */
import { add, atOnce, constant, div, mul, sub, type Tensor } from "onnxgrad";
import { splitBlocks } from "../../wavelet/haar.ts";
import { haarAnalysis, haarSynthesis } from "../../wavelet/graph.ts";

/** Measured scales of a data set's bands; plain numbers, kept in `run.json`. */
export interface BandScaling {
  /** Mean of the coarsest low band, one a channel. */
  readonly lowMean: readonly number[];
  /** Its standard deviation, one a channel. */
  readonly lowStd: readonly number[];
  /** Root mean square of the details of each level (index 0 is level 1, the finest): LH, HL, HH, each of all channels. */
  readonly detailRms: readonly (readonly number[])[];
}

/** The scales of the coarsest low band alone. */
export type LowScaling = Pick<BandScaling, "lowMean" | "lowStd">;

/** Images to be measured. */
interface MeasuredShape {
  readonly count: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  readonly levels: number;
}

/** Smallest scale that is divided by: a band that is empty in the data stays empty. */
const FLOOR = 1e-4;

/**
 * Measures the scaling over images [n, channels, height, width] in [-1, 1], read one at a time through `read`.
 * `height` and `width` must be multiples of 2^levels.
 */
export function measureBandScaling(shape: MeasuredShape, read: (index: number) => Float32Array): BandScaling {
  return atOnce(measuringBandScaling(shape, read));
}

/** {@link measureBandScaling} in pieces, an image each. */
export function* measuringBandScaling(
  { count, channels, height, width, levels }: MeasuredShape,
  read: (index: number) => Float32Array,
): Generator<void, BandScaling> {
  const sums = new Float64Array(channels);
  const squares = new Float64Array(channels);
  const detailSquares = Array.from({ length: levels }, () => new Float64Array(3 * channels));
  const blocks = (n: number, level: number) => n / 2 ** level;
  for (let i = 0; i < count; i++) {
    let low = read(i);
    for (let level = 1; level <= levels; level++) {
      const [h, w] = [blocks(height, level), blocks(width, level)];
      const bands = Array.from({ length: 4 }, () => new Float32Array(channels * h * w)) as [
        Float32Array,
        Float32Array,
        Float32Array,
        Float32Array,
      ];
      splitBlocks(low, w, ...bands);
      const [next, ...details] = bands;
      details.forEach((band, b) => {
        for (let c = 0; c < channels; c++) {
          let total = detailSquares[level - 1]![b * channels + c]!;
          for (let at = c * h * w; at < (c + 1) * h * w; at++) total += band[at]! * band[at]!;
          detailSquares[level - 1]![b * channels + c] = total;
        }
      });
      for (let at = 0; at < next.length; at++) next[at]! /= 2;
      low = next;
    }
    const plane = low.length / channels;
    for (let c = 0; c < channels; c++)
      for (let at = c * plane; at < (c + 1) * plane; at++) {
        const value = low[at]!;
        sums[c]! += value;
        squares[c]! += value * value;
      }
    yield;
  }
  const lowCount = count * blocks(height, levels) * blocks(width, levels);
  const lowMean = [...sums].map((total) => total / lowCount);
  return {
    lowMean,
    lowStd: [...squares].map((total, c) =>
      Math.max(FLOOR, Math.sqrt(Math.max(0, total / lowCount - lowMean[c]! ** 2))),
    ),
    detailRms: detailSquares.map((level, j) =>
      [...level].map((total) =>
        Math.max(FLOOR, Math.sqrt(total / (count * blocks(height, j + 1) * blocks(width, j + 1)))),
      ),
    ),
  };
}

const perChannel = (values: readonly number[]): Tensor => constant(values, [1, values.length, 1, 1]);

/** (low - mean) / std of the coarsest low band [n,c,h,w]. */
export function standardizeLow(low: Tensor, { lowMean, lowStd }: LowScaling): Tensor {
  return mul(sub(low, perChannel(lowMean)), perChannel(lowStd.map((std) => 1 / std)));
}

/** The inverse of {@link standardizeLow}. */
export function restoreLow(standardized: Tensor, { lowMean, lowStd }: LowScaling): Tensor {
  return add(mul(standardized, perChannel(lowStd)), perChannel(lowMean));
}

/** One level of analysis of an image-range band: low band in the image's range, and standardised details [n,3c,h/2,w/2]. */
export function analyseLevel(
  image: Tensor,
  level: number,
  scaling: BandScaling,
): { readonly low: Tensor; readonly detail: Tensor } {
  const { low, detail } = haarAnalysis(image);
  return {
    low: mul(low, 0.5),
    detail: mul(detail, perChannel(detailScale(scaling, level).map((rms) => 1 / rms))),
  };
}

/** The inverse of {@link analyseLevel}: the image-range band of level - 1. */
export function synthesiseLevel(low: Tensor, detail: Tensor, level: number, scaling: BandScaling): Tensor {
  return haarSynthesis(mul(low, 2), mul(detail, perChannel(detailScale(scaling, level))));
}

/** Scales of a level; levels beyond the measured ones take the coarsest. */
function detailScale({ detailRms }: BandScaling, level: number): readonly number[] {
  return detailRms[Math.min(level, detailRms.length) - 1]!;
}

/** The coarsest image-range low band of pixels [n,c,h,w] after `levels` analyses. */
export function coarsestLow(pixels: Tensor, levels: number): Tensor {
  let low = pixels;
  for (let level = 0; level < levels; level++) low = div(haarAnalysis(low).low, 2);
  return low;
}

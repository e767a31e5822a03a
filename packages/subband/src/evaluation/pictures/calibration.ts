/**
 * @module Calibration of details: whether draws at one low band are as far apart as they are from the truth. It needs no
 * model of the truth, and tells too little variety, which spread alone cannot.
 */
import { atOnce, inSlices } from "onnxgrad";
import type { CompiledDraw } from "../../drawing/compile-draw.ts";
import { planes } from "../../wavelet/planes.ts";
import { type Pyramid2, wavedec2 } from "../../wavelet/wavedec.ts";
import { drawDetails, type OracleRequest } from "./oracles.ts";

/** Calibration of one band. */
export interface BandCalibration {
  /** 1 is the finest. */
  readonly level: number;
  readonly band: "LH" | "HL" | "HH";
  /**
   * E|X - X'|^2 / E|X - y|^2: 1 for draws of the true conditional distribution; below 1 they vary too little, or are off the
   * truth. Details without noise give 0.
   */
  readonly ratio: number;
  /** Of the ratio, over images: linearised. NaN for a single one. */
  readonly standardError: number;
}

/**
 * Calibration of each band from `real` pictures y, [n, channels, height, width], in which X and X' are two drawings from the real low
 * band of `level`: true draws satisfy E|X - X'|^2 = E|X - y|^2, as y is one of them.
 * @throws UserError `run/no-bands` for a chain that makes no such low band.
 */
export async function calibration(
  drawing: CompiledDraw,
  real: Float32Array,
  request: OracleRequest,
): Promise<readonly BandCalibration[]> {
  const { image, pyramid, level = pyramid.levels, first = 0 } = request;
  const count = real.length / (image.channels * image.height * image.width);
  const one = await drawDetails(drawing, real, { ...request, first });
  const other = await drawDetails(drawing, real, { ...request, first: first + count });
  const shape = [count, image.channels, image.height, image.width] as const;
  return inSlices(comparingDraws([one, other], real, shape, level));
}

/** The calibration of two draws of each of the pictures `real`, of `shape`, over `levels` levels. */
export function compareDraws(
  draws: readonly [Float32Array, Float32Array],
  real: Float32Array,
  shape: DrawsShape,
  levels: number,
): readonly BandCalibration[] {
  return atOnce(comparingDraws(draws, real, shape, levels));
}

type DrawsShape = readonly [count: number, channels: number, height: number, width: number];

/** {@link compareDraws} in pieces. */
function* comparingDraws(
  draws: readonly [Float32Array, Float32Array],
  real: Float32Array,
  shape: DrawsShape,
  levels: number,
): Generator<void, readonly BandCalibration[]> {
  const [count] = shape;
  // Of the cascade [cA, coarsest, ..., finest].
  const pyramids: Pyramid2<Float32Array>[] = [];
  for (const data of [...draws, real]) {
    pyramids.push(wavedec2(planes(data, shape), "haar", "periodization", levels));
    yield;
  }
  const [x, x2, y] = pyramids as [Pyramid2<Float32Array>, Pyramid2<Float32Array>, Pyramid2<Float32Array>];
  const found: BandCalibration[] = [];
  for (let level = 1; level <= levels; level++)
    for (const [b, band] of (["LH", "HL", "HH"] as const).entries()) {
      const coefficients = ([, ...details]: Pyramid2<Float32Array>) => details[levels - level]![b]!.data;
      const apart = squaresOf(coefficients(x), coefficients(x2), count);
      const [off, off2] = [x, x2].map((draw) => squaresOf(coefficients(draw), coefficients(y), count)) as [
        Float64Array,
        Float64Array,
      ];
      const ratio = ratioOfMeans(
        apart,
        off.map((value, k) => (value + off2[k]!) / 2),
      );
      found.push({ level, band, ...ratio });
      yield;
    }
  return found;
}

/** Squared distance of each of `count` pictures. */
function squaresOf(a: Float32Array, b: Float32Array, count: number): Float64Array {
  const size = a.length / count;
  const squares = new Float64Array(count);
  for (let i = 0; i < a.length; i++) squares[Math.floor(i / size)]! += (a[i]! - b[i]!) ** 2;
  return squares;
}

/** The ratio of two means over the same images, and its error by linearisation: that of mean(a - r b) / mean(b). */
function ratioOfMeans(a: Float64Array, b: Float64Array): { ratio: number; standardError: number } {
  const n = a.length;
  const sum = (values: Float64Array): number => values.reduce((total, value) => total + value, 0);
  const ratio = sum(a) / sum(b);
  const rest = sum(a.map((value, i) => (value - ratio * b[i]!) ** 2));
  return { ratio, standardError: Math.sqrt(rest / (n - 1) / n) / (sum(b) / n) };
}

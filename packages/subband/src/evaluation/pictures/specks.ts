/**
 * @module Specks: single pixels that stand out in smooth areas, as no camera and no draughtsman leaves them, and as detail
 * generators do. How many there are is told against real pictures, at places that are as smooth.
 */
import type { ImageShape } from "../../systems/system.ts";
import { UserError } from "onnxgrad";
import type { Metric } from "../metrics/metric.ts";
import { pictureSums, requireLength } from "./picture-sums.ts";

/** How specked pictures are. */
export interface Specks {
  /**
   * Mean height of specks in smooth areas over that of real pictures at places as smooth: 1 is real, above 1 specked, below
   * 1 blurred. Infinity where the real ones have none at all, NaN where one of the two has no smooth area.
   */
  readonly ratio: number;
  /** Share of the pictures that is smooth enough to be looked at, 0..1. */
  readonly smooth: number;
  /** The same of the real ones. */
  readonly smoothReal: number;
}

/** Pixels of a block, along each side: single pixels do not move its median. */
const BLOCK = 4;
/**
 * A block's step is the greatest difference of its median to those of its four neighbours, over the channels, where pixels
 * are in [-1, 1]. Places compare within a class of steps: below the first bound, the second, ...; above the last is not smooth.
 */
const STEPS = [0.03, 0.06, 0.12] as const;
/** Sums: pixels looked at of each class, heights of each class, all pixels. */
const LENGTH = 2 * STEPS.length + 1;
/** Pixels that a class needs in either set to be compared. */
const ENOUGH = 64;

/**
 * Counts specks of pictures in [-1, 1]. A pixel's height is how much it differs from the mean of the two pixels beside it, in
 * the direction of the four (rows, columns, diagonals) where that is least; 0 unless it is above all four, or below. So an
 * edge or a line has none, along which nothing changes, and noise of single pixels has all.
 * @throws UserError `metric/size` for pictures of less than 8 pixels a side.
 */
export function speckSums(image: ImageShape): Metric<Float64Array, Float64Array> {
  const { channels, height, width } = image;
  if (Math.min(height, width) < 2 * BLOCK)
    throw new UserError("metric/size", `specks of ${width}x${height}: pictures of 8x8 or more are needed.`);
  const [rows, columns] = [Math.floor(height / BLOCK), Math.floor(width / BLOCK)];
  const plane = height * width;
  const medians = new Float64Array(channels * rows * columns);
  return pictureSums(image, LENGTH, (sums, pixels, at) => {
    for (let c = 0; c < channels; c++)
      for (let by = 0; by < rows; by++)
        for (let bx = 0; bx < columns; bx++)
          medians[(c * rows + by) * columns + bx] = blockMedian(
            pixels,
            at + c * plane + (by * width + bx) * BLOCK,
            width,
          );
    for (let by = 0; by < rows; by++)
      for (let bx = 0; bx < columns; bx++) {
        const step = stepAt(medians, [channels, rows, columns], by, bx);
        const sort = STEPS.findIndex((bound) => step < bound);
        const [top, bottom] = [Math.max(1, by * BLOCK), Math.min(height - 1, (by + 1) * BLOCK)];
        const [left, right] = [Math.max(1, bx * BLOCK), Math.min(width - 1, (bx + 1) * BLOCK)];
        const looked = channels * (bottom - top) * (right - left);
        sums[LENGTH - 1]! += looked;
        if (sort < 0) continue;
        sums[sort]! += looked;
        let total = 0;
        for (let c = 0; c < channels; c++)
          for (let y = top; y < bottom; y++)
            for (let x = left; x < right; x++)
              total += speckHeight(pixels, at + c * plane + y * width + x, width);
        sums[STEPS.length + sort]! += total;
      }
  });
}

/** Specks against those of real pictures, whose {@link speckSums} are given. */
export function specks(image: ImageShape, real: Float64Array): Metric<Float64Array, Specks> {
  requireLength(real, LENGTH);
  return { ...speckSums(image), result: (sums) => compare(sums, real) };
}

/** Classes are weighted as the real pictures have them, so that how much is smooth does not count. */
function compare(sums: Float64Array, real: Float64Array): Specks {
  const n = STEPS.length;
  let [mine, theirs] = [0, 0];
  for (let i = 0; i < n; i++) {
    if (sums[i]! < ENOUGH || real[i]! < ENOUGH) continue;
    mine += (sums[n + i]! / sums[i]!) * real[i]!;
    theirs += real[n + i]!;
  }
  const smooth = (of: Float64Array): number => of.subarray(0, n).reduce((a, b) => a + b, 0) / of[2 * n]!;
  return { ratio: mine / theirs, smooth: smooth(sums), smoothReal: smooth(real) };
}

const sorted = new Float64Array(BLOCK * BLOCK);

/** Median of the block that begins at `at`. */
function blockMedian(pixels: Float32Array, at: number, width: number): number {
  let n = 0;
  for (let y = 0; y < BLOCK; y++)
    for (let x = 0; x < BLOCK; x++) {
      const value = pixels[at + y * width + x]!;
      let i = n++;
      for (; i > 0 && sorted[i - 1]! > value; i--) sorted[i] = sorted[i - 1]!;
      sorted[i] = value;
    }
  return (sorted[n / 2 - 1]! + sorted[n / 2]!) / 2;
}

/** Greatest difference of a median to those beside, above and below, over the channels. */
function stepAt(
  medians: Float64Array,
  [channels, rows, columns]: readonly [number, number, number],
  y: number,
  x: number,
): number {
  let step = 0;
  for (let c = 0; c < channels; c++) {
    const i = (c * rows + y) * columns + x;
    const here = medians[i]!;
    if (x > 0) step = Math.max(step, Math.abs(here - medians[i - 1]!));
    if (x < columns - 1) step = Math.max(step, Math.abs(here - medians[i + 1]!));
    if (y > 0) step = Math.max(step, Math.abs(here - medians[i - columns]!));
    if (y < rows - 1) step = Math.max(step, Math.abs(here - medians[i + columns]!));
  }
  return step;
}

/** Height of the speck at `i`, at least 0. */
function speckHeight(pixels: Float32Array, i: number, width: number): number {
  const here = 2 * pixels[i]!;
  const a = here - pixels[i - 1]! - pixels[i + 1]!;
  const b = here - pixels[i - width]! - pixels[i + width]!;
  const c = here - pixels[i - width - 1]! - pixels[i + width + 1]!;
  const d = here - pixels[i - width + 1]! - pixels[i + width - 1]!;
  const above = Math.min(a, b, c, d);
  if (above > 0) return above / 2;
  const below = Math.max(a, b, c, d);
  return below < 0 ? -below / 2 : 0;
}

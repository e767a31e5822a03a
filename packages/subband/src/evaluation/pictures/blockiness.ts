/**
 * @module Blockiness: how much more pictures change across the borders of a grid than inside its blocks. The grid of the low
 * band shows in this way where details do not fit their neighbours; real pictures have no grid.
 */
import { UserError } from "onnxgrad";
import type { ImageShape } from "../../systems/system.ts";
import type { Metric } from "../metrics/metric.ts";
import { pictureSums, requireLength } from "./picture-sums.ts";

/** How much a grid shows. */
export interface Blockiness {
  /** Pixels of a block, along each side: 2^level. */
  readonly side: number;
  /** Mean absolute change across its borders over that inside: 1 is real. Infinity where nothing changes inside. */
  readonly ratio: number;
}

/**
 * Absolute changes of pictures, added up by their place: between columns x and x + 1 for each x, then between rows. The
 * sums serve grids of all sizes.
 */
export function changeSums(image: ImageShape): Metric<Float64Array, Float64Array> {
  const { channels, height, width } = image;
  return pictureSums(image, width + height - 2, (sums, pixels, at) => {
    for (let row = 0, i = at; row < channels * height; row++, i += width) {
      for (let x = 0; x < width - 1; x++) sums[x]! += Math.abs(pixels[i + x + 1]! - pixels[i + x]!);
      const y = row % height;
      if (y === height - 1) continue;
      let change = 0;
      for (let x = 0; x < width; x++) change += Math.abs(pixels[i + x + width]! - pixels[i + x]!);
      sums[width - 1 + y]! += change;
    }
  });
}

/**
 * Blockiness for the grids of 2, 4, ..., 2^levels pixels against real pictures, whose {@link changeSums} are given.
 *
 * Borders are compared with the middles of the blocks, which are borders of all finer grids too, and those that the grid
 * of twice the side has too are left to that one: a grid of 4 that shows counts for 4 alone. Data such as faces change more in some places than in others, whatever the grid. What a border would
 * have without a grid is therefore a + b r, where r is the real change at its place, and a and b, which stand for noise and
 * for sharpness, are fitted to the middles.
 * @throws UserError `metric/grid` for blocks that are larger than half of the picture.
 */
export function blockiness(
  image: ImageShape,
  levels: number,
  real: Float64Array,
): Metric<Float64Array, readonly Blockiness[]> {
  const { height, width } = image;
  requireLength(real, width + height - 2);
  if (2 ** levels > Math.min(height, width) / 2)
    throw new UserError(
      "metric/grid",
      `blockiness of ${width}x${height} on ${levels} levels: blocks of ${2 ** levels} have no borders there. Take fewer levels.`,
    );
  return {
    ...changeSums(image),
    result: (sums) =>
      Array.from({ length: levels }, (_, i) => {
        const side = 2 ** (i + 1);
        return { side, ratio: ratioOf(sums, real, image, side) };
      }),
  };
}

function ratioOf(
  sums: Float64Array,
  real: Float64Array,
  { height, width }: ImageShape,
  side: number,
): number {
  const [borders, middles]: [number[], number[]] = [[], []];
  for (const [from, extent] of [
    [0, width],
    [width - 1, height],
  ] as const)
    for (let x = side / 2; x < extent; x += side / 2) {
      // The change at place x - 1 is that between columns x - 1 and x.
      if (x % side !== 0) middles.push(from + x - 1);
      else if (x % (2 * side) !== 0) borders.push(from + x - 1);
    }
  const at = (values: Float64Array, places: readonly number[]): number[] => places.map((i) => values[i]!);
  const { a, b } = fitLine(at(real, middles), at(sums, middles));
  return total(at(sums, borders)) / total(at(real, borders).map((x) => a + b * x));
}

/** The line `y = a + b x` of least squares, with neither below 0. */
function fitLine(x: readonly number[], y: readonly number[]): { a: number; b: number } {
  const n = x.length;
  const [meanX, meanY] = [total(x) / n, total(y) / n];
  const variance = total(x.map((v) => (v - meanX) ** 2));
  const b = total(x.map((v, i) => (v - meanX) * (y[i]! - meanY))) / variance;
  const a = meanY - b * meanX;
  if (b < 0) return { a: meanY, b: 0 };
  return variance > 0 && a >= 0 ? { a, b } : { a: 0, b: meanY / meanX };
}

const total = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

/**
 * @module Structural similarity of Wang et al. (2004) as they define it: a Gaussian window of deviation 1.5 cut at 11 x
 * 11, population covariance, and the mean over windows that lie inside the image. It goes through the image row by row,
 * so that pictures of any size take little memory. (The differentiable one, for losses, is `systems/ssim.ts`.)
 */
import { UserError } from "onnxgrad";

/** `[channels, height, width]` of a planar image. */
export type PlanarShape = readonly [channels: number, height: number, width: number];

/** Pixels a side of the window. */
const WINDOW = 11;
const SIGMA = 1.5;
const BELL = Float64Array.from({ length: WINDOW }, (_, i) =>
  Math.exp(-((i - (WINDOW - 1) / 2) ** 2) / (2 * SIGMA ** 2)),
);
const TOTAL = BELL.reduce((a, b) => a + b);
const LINE = BELL.map((v) => v / TOTAL);

/** What is averaged in each window: x, y, x^2, y^2, xy. */
const MOMENTS = 5;

/**
 * Mean structural similarity of two planar images of values 0..peak, at most 1: the mean over channels, as scikit-image
 * has it with `gaussian_weights=True, sigma=1.5, use_sample_covariance=False`. With `weights` [height, width] a pixel
 * counts by its weight in the moments of its windows, and a window by the weight of its pixels.
 * @throws UserError `metric/size` when the arrays are not of that shape or a side is below 11; `metric/weights` when the
 * weights add up to nothing.
 */
export function ssim(
  image: ArrayLike<number>,
  reference: ArrayLike<number>,
  shape: PlanarShape,
  peak = 1,
  weights?: ArrayLike<number>,
): number {
  const [channels, height, width] = shape;
  const plane = height * width;
  if (image.length !== channels * plane || reference.length !== channels * plane)
    throw new UserError(
      "metric/size",
      `ssim: ${image.length} and ${reference.length} values; expected two images [${shape.join(", ")}].`,
    );
  if (height < WINDOW || width < WINDOW)
    throw new UserError(
      "metric/size",
      `ssim: image of ${width} x ${height} pixels; expected at least ${WINDOW} a side, the size of its window.`,
    );
  if (weights !== undefined && weights.length !== plane)
    throw new UserError(
      "metric/size",
      `ssim: ${weights.length} weights; expected one a pixel, ${height} x ${width}.`,
    );
  const constants = [(0.01 * peak) ** 2, (0.03 * peak) ** 2] as const;
  let [total, count] = [0, 0];
  for (let c = 0; c < channels; c++) {
    const found = planeTotal(image, reference, c * plane, height, width, constants, weights);
    total += found.total;
    count += found.count;
  }
  if (!(count > 0)) throw new UserError("metric/weights", "ssim: all weights are 0; expected some above.");
  return total / count;
}

/** The sum over all windows of one channel, which begins at `from`, and how many they count for. */
function planeTotal(
  image: ArrayLike<number>,
  reference: ArrayLike<number>,
  from: number,
  height: number,
  width: number,
  [c1, c2]: readonly [number, number],
  weights: ArrayLike<number> | undefined,
): { readonly total: number; readonly count: number } {
  const columns = width - WINDOW + 1;
  /** The last rows, averaged along the row; row y is at y modulo the window. And their weights, where there are any. */
  const rows = Array.from({ length: WINDOW }, () => new Float64Array(MOMENTS * columns));
  const shares = rows.map(() => new Float64Array(weights === undefined ? 0 : columns));
  const moments = new Float64Array(MOMENTS * columns);
  let [total, count] = [0, 0];
  for (let y = 0; y < height; y++) {
    const at = from + y * width;
    if (weights === undefined) averageRow(image, reference, at, columns, rows[y % WINDOW]!);
    else
      averageWeightedRow(image, reference, at, columns, rows[y % WINDOW]!, {
        weights,
        at: y * width,
        sums: shares[y % WINDOW]!,
      });
    if (y < WINDOW - 1) continue;
    moments.fill(0);
    for (let k = 0; k < WINDOW; k++) {
      const [row, weight] = [rows[(y + 1 + k) % WINDOW]!, LINE[k]!];
      for (let i = 0; i < moments.length; i++) moments[i] = moments[i]! + weight * row[i]!;
    }
    for (let i = 0; i < moments.length; i += MOMENTS) {
      let share = 1;
      if (weights !== undefined) {
        share = 0;
        for (let k = 0; k < WINDOW; k++) share += LINE[k]! * shares[(y + 1 + k) % WINDOW]![i / MOMENTS]!;
        if (share === 0) continue;
        for (let k = i; k < i + MOMENTS; k++) moments[k] = moments[k]! / share;
      }
      const [meanX, meanY] = [moments[i]!, moments[i + 1]!];
      const [product, squares] = [meanX * meanY, meanX * meanX + meanY * meanY];
      const covariance = moments[i + 4]! - product;
      const variances = moments[i + 2]! + moments[i + 3]! - squares;
      total += (share * ((2 * product + c1) * (2 * covariance + c2))) / ((squares + c1) * (variances + c2));
      count += share;
    }
  }
  return { total, count };
}

/** The moments of the row at `from` under the window's line, interleaved, into `row`. */
function averageRow(
  image: ArrayLike<number>,
  reference: ArrayLike<number>,
  from: number,
  columns: number,
  row: Float64Array,
): void {
  for (let i = 0; i < columns; i++) {
    let [sumX, sumY, sumXX, sumYY, sumXY] = [0, 0, 0, 0, 0];
    for (let k = 0; k < WINDOW; k++) {
      const x = image[from + i + k]!;
      const y = reference[from + i + k]!;
      const weight = LINE[k]!;
      sumX += weight * x;
      sumY += weight * y;
      sumXX += weight * x * x;
      sumYY += weight * y * y;
      sumXY += weight * x * y;
    }
    const to = MOMENTS * i;
    row[to] = sumX;
    row[to + 1] = sumY;
    row[to + 2] = sumXX;
    row[to + 3] = sumYY;
    row[to + 4] = sumXY;
  }
}

/** The same with the weights that begin at `at`, whose sums come beside; what has no weight may be no number. */
function averageWeightedRow(
  image: ArrayLike<number>,
  reference: ArrayLike<number>,
  from: number,
  columns: number,
  row: Float64Array,
  {
    weights,
    at,
    sums,
  }: { readonly weights: ArrayLike<number>; readonly at: number; readonly sums: Float64Array },
): void {
  row.fill(0);
  sums.fill(0);
  for (let i = 0; i < columns; i++)
    for (let k = 0, to = MOMENTS * i; k < WINDOW; k++) {
      const weight = LINE[k]! * weights[at + i + k]!;
      if (weight === 0) continue;
      const x = image[from + i + k]!;
      const y = reference[from + i + k]!;
      sums[i] = sums[i]! + weight;
      row[to] = row[to]! + weight * x;
      row[to + 1] = row[to + 1]! + weight * y;
      row[to + 2] = row[to + 2]! + weight * x * x;
      row[to + 3] = row[to + 3]! + weight * y * y;
      row[to + 4] = row[to + 4]! + weight * x * y;
    }
}

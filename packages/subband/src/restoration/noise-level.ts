/**
 * @module How noisy a picture is, read off its finest diagonal details (Donoho and Johnstone 1994): photographs have
 * little there, so that the median of |d| / 0.6745 is the deviation of white noise.
 */
import { type Picture, peakOf, strideOf } from "./picture.ts";
import { isTranslucent } from "./visible-colours.ts";

/** Median of |z| for standard normal z. */
const MEDIAN_OF_NORMAL = 0.6745;

/**
 * The deviation of white noise in a picture, in units of full intensity, 0..1: the root mean square over its colours of
 * `median |a - b - c + d| / 2 / 0.6745` over blocks [[a, b], [c, d]]. 0 for a picture without a whole block. Noise that
 * is not white (JPEG, enlarged or smoothed pictures) is told too small. A block counts by its least alpha, so that colours
 * which nobody sees do not count.
 */
export function estimateNoise(picture: Picture): number {
  const { height, width, colours, samples } = picture;
  const stride = strideOf(picture);
  const peak = peakOf(picture);
  const blocks = Math.floor(height / 2) * Math.floor(width / 2);
  if (blocks === 0) return 0;
  const translucent = isTranslucent(picture);
  let squares = 0;
  for (let c = 0; c < colours; c++) {
    const counts = new Float64Array(2 * peak + 1); // of each |a - b - c + d|
    let total = 0;
    for (let y = 0; y + 1 < height; y += 2) {
      const row = y * width * stride + c;
      const below = row + width * stride;
      for (let x = 0; x + 1 < width; x += 2) {
        const at = x * stride;
        const difference =
          samples[row + at]! -
          samples[row + at + stride]! -
          samples[below + at]! +
          samples[below + at + stride]!;
        const magnitude = Math.abs(difference);
        const weight = translucent ? leastAlpha(picture, y, x) : 1;
        counts[magnitude] = counts[magnitude]! + weight;
        total += weight;
      }
    }
    if (total > 0) squares += (countedMedian(counts, total) / (2 * peak * MEDIAN_OF_NORMAL)) ** 2;
  }
  return Math.sqrt(squares / colours);
}

/** Of the four pixels of a block. */
function leastAlpha({ width, samples, colours }: Picture, y: number, x: number): number {
  const stride = colours + 1;
  const at = (y * width + x) * stride + colours;
  const below = at + width * stride;
  return Math.min(samples[at]!, samples[at + stride]!, samples[below]!, samples[below + stride]!);
}

/** The median of rounded magnitudes, taken as spread evenly over what was rounded: k - 1/2 .. k + 1/2, 0 over 0 .. 1/2. */
function countedMedian(counts: Float64Array, total: number): number {
  let below = 0;
  for (const [k, count] of counts.entries()) {
    if (below + count >= total / 2) {
      const share = (total / 2 - below) / count;
      return k === 0 ? share / 2 : k - 0.5 + share;
    }
    below += count;
  }
  return 0;
}

/**
 * @module Colours where nobody sees any. What lies under alpha 0 is arbitrary, often black; a network that saw it would
 * draw it into its neighbours as a fringe. Before a picture is restored, such pixels take the colours of the visible ones
 * around them, averaged by alpha over the smallest neighbourhood that has some (push and pull over a pyramid of halves:
 * Gortler et al. 1996). Pixels all but transparent, whose colours are too coarse to mean much, go over into that.
 */
import { type Picture, peakOf, type PictureSamples, strideOf } from "./picture.ts";

/** Alpha from which on a pixel's colour counts for itself alone. */
const CERTAIN = 1 / 16;

/** How much the colour at this alpha, 0..1, counts for itself, 0..1. */
export function certainty(alpha: number): number {
  return Math.min(1, Math.max(0, alpha) / CERTAIN);
}

/** Whether some pixel of the picture is less than opaque. */
export function isTranslucent(picture: Pick<Picture, "colours" | "alpha" | "samples">): boolean {
  if (!picture.alpha) return false;
  const { samples, colours } = picture;
  const peak = peakOf(picture);
  for (let i = colours; i < samples.length; i += colours + 1) if (samples[i] !== peak) return true;
  return false;
}

/**
 * The picture with colours that continue the visible ones wherever it is transparent; alpha is as it was. An opaque
 * picture, and one where nothing is visible, comes back itself. Pixels that `hidden` (one entry a pixel) marks count as
 * transparent.
 */
export function visibleColours(picture: Picture, hidden?: Uint8Array): Picture {
  if (!isTranslucent(picture)) return picture;
  const coarser = pushed(picture, hidden);
  if (coarser.at(-1)!.values.at(-1)! <= 0) return hidden === undefined ? picture : visibleColours(picture);
  for (let k = coarser.length - 1; k >= 0; k--) pull(coarser[k]!, coarser[k + 1]);
  return { ...picture, samples: filled(picture, hidden, coarser[0]!) };
}

/** Copies the colours under alpha 0 of `from` to `to`, samples of the same layout. */
export function keepHidden(from: Picture, to: PictureSamples): void {
  if (!from.alpha) return;
  const { samples, colours } = from;
  for (let at = 0; at < samples.length; at += colours + 1)
    if (samples[at + colours] === 0) for (let c = 0; c < colours; c++) to[at + c] = samples[at + c]!;
}

/** One level: colours times alpha, and alpha, 0..1; once pulled, colours and alpha. */
interface Level {
  readonly height: number;
  readonly width: number;
  /** [height, width, colours + 1] */
  readonly values: Float32Array;
}

/** Means of 2 x 2, again and again, down to one pixel. */
function pushed(picture: Picture, hidden: Uint8Array | undefined): Level[] {
  const levels = [halvedPicture(picture, hidden)];
  for (let last = levels[0]!; last.height > 1 || last.width > 1;) {
    last = halved(last, strideOf(picture));
    levels.push(last);
  }
  return levels;
}

function halvedPicture({ height, width, samples, colours, ...rest }: Picture, hidden?: Uint8Array): Level {
  const stride = colours + 1;
  const level = blankLevel(height, width, stride);
  const { values } = level;
  const scale = 1 / peakOf({ ...rest, samples });
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const from = i * stride;
      const alpha = samples[from + colours]!;
      if (alpha === 0 || hidden?.[i] === 1) continue;
      const share = (alpha * scale) / 4;
      const to = ((y >> 1) * level.width + (x >> 1)) * stride;
      for (let c = 0; c < colours; c++) values[to + c] = values[to + c]! + share * scale * samples[from + c]!;
      values[to + colours] = values[to + colours]! + share;
    }
  return level;
}

function halved({ height, width, values: finer }: Level, stride: number): Level {
  const level = blankLevel(height, width, stride);
  const { values } = level;
  for (let y = 0, from = 0; y < height; y++)
    for (let x = 0; x < width; x++) {
      const to = ((y >> 1) * level.width + (x >> 1)) * stride;
      for (let c = 0; c < stride; c++, from++) values[to + c] = values[to + c]! + finer[from]! / 4;
    }
  return level;
}

/** Zeros of half the extents, rounded up. */
function blankLevel(height: number, width: number, stride: number): Level {
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  return { height: h, width: w, values: new Float32Array(h * w * stride) };
}

/** Turns sums into colours, from the next coarser level where there is little of its own. */
function pull({ height, width, values }: Level, coarser: Level | undefined): void {
  const colours = values.length / (height * width) - 1;
  const around = new Float64Array(colours);
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += colours + 1) {
      const alpha = values[at + colours]!;
      const own = coarser === undefined ? 1 : certainty(alpha);
      if (own < 1) between(coarser!, y, x, around);
      const scale = alpha > 0 ? own / alpha : 0;
      for (let c = 0; c < colours; c++) values[at + c] = scale * values[at + c]! + (1 - own) * around[c]!;
    }
}

/** The colours at a pixel of twice the extents, linear between the four nearest, into `out`. */
function between({ height, width, values }: Level, y: number, x: number, out: Float64Array): void {
  const stride = out.length + 1;
  const [y0, x0] = [y >> 1, x >> 1];
  const y1 = Math.min(height - 1, Math.max(0, y0 + 2 * (y & 1) - 1));
  const x1 = Math.min(width - 1, Math.max(0, x0 + 2 * (x & 1) - 1));
  const near = (y0 * width + x0) * stride;
  const across = (y0 * width + x1) * stride;
  const down = (y1 * width + x0) * stride;
  const far = (y1 * width + x1) * stride;
  for (let c = 0; c < out.length; c++)
    out[c] = (9 * values[near + c]! + 3 * (values[across + c]! + values[down + c]!) + values[far + c]!) / 16;
}

function filled(picture: Picture, hidden: Uint8Array | undefined, coarser: Level): PictureSamples {
  const { height, width, colours } = picture;
  const stride = strideOf(picture);
  const peak = peakOf(picture);
  const samples = picture.samples.slice();
  const around = new Float64Array(colours);
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const at = i * stride;
      const own = hidden?.[i] === 1 ? 0 : certainty(samples[at + colours]! / peak);
      if (own === 1) continue;
      between(coarser, y, x, around);
      for (let c = 0; c < colours; c++)
        samples[at + c] = Math.round(own * samples[at + c]! + (1 - own) * peak * around[c]!);
    }
  return samples;
}

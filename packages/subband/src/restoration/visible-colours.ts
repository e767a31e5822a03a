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
  const { height, width, samples, colours } = picture;
  const stride = strideOf(picture);
  const scale = 1 / peakOf(picture);
  const levels = [
    halved(height, width, stride, (i, into, at) => {
      if (hidden?.[i] === 1) return;
      const alpha = samples[i * stride + colours]! * scale;
      for (let c = 0; c < colours; c++)
        into[at + c] = into[at + c]! + alpha * scale * samples[i * stride + c]!;
      into[at + colours] = into[at + colours]! + alpha;
    }),
  ];
  for (let { height: h, width: w, values } = levels[0]!; h > 1 || w > 1;) {
    const finer = values;
    const next = halved(h, w, stride, (i, into, at) => {
      for (let c = 0; c < stride; c++) into[at + c] = into[at + c]! + finer[i * stride + c]!;
    });
    levels.push(next);
    ({ height: h, width: w, values } = next);
  }
  return levels;
}

/** Adds each pixel to its block and divides by the four. */
function halved(
  height: number,
  width: number,
  stride: number,
  add: (pixel: number, into: Float32Array, at: number) => void,
): Level {
  const [h, w] = [(height + 1) >> 1, (width + 1) >> 1];
  const values = new Float32Array(h * w * stride);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++) add(y * width + x, values, ((y >> 1) * w + (x >> 1)) * stride);
  for (let i = 0; i < values.length; i++) values[i] = values[i]! / 4;
  return { height: h, width: w, values };
}

/** Turns sums into colours, from the next coarser level where there is little of its own. */
function pull(level: Level, coarser: Level | undefined): void {
  const { height, width, values } = level;
  const colours = values.length / (height * width) - 1;
  for (let y = 0, at = 0; y < height; y++)
    for (let x = 0; x < width; x++, at += colours + 1) {
      const alpha = values[at + colours]!;
      const own = coarser === undefined ? 1 : certainty(alpha);
      for (let c = 0; c < colours; c++) {
        const value = alpha > 0 ? (own * values[at + c]!) / alpha : 0;
        values[at + c] = own < 1 ? value + (1 - own) * between(coarser!, y, x, c) : value;
      }
    }
}

/** The colour at a pixel of twice the extents, linear between the four nearest. */
function between({ height, width, values }: Level, y: number, x: number, c: number): number {
  const stride = values.length / (height * width);
  const [y0, x0] = [y >> 1, x >> 1];
  const y1 = Math.min(height - 1, Math.max(0, y0 + ((y & 1) === 0 ? -1 : 1)));
  const x1 = Math.min(width - 1, Math.max(0, x0 + ((x & 1) === 0 ? -1 : 1)));
  const value = (row: number, column: number): number => values[(row * width + column) * stride + c]!;
  return (9 * value(y0, x0) + 3 * value(y1, x0) + 3 * value(y0, x1) + value(y1, x1)) / 16;
}

function filled(picture: Picture, hidden: Uint8Array | undefined, coarser: Level): PictureSamples {
  const { height, width, colours } = picture;
  const stride = strideOf(picture);
  const peak = peakOf(picture);
  const samples = picture.samples.slice();
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      const at = i * stride;
      const own = hidden?.[i] === 1 ? 0 : certainty(samples[at + colours]! / peak);
      if (own === 1) continue;
      for (let c = 0; c < colours; c++)
        samples[at + c] = Math.round(own * samples[at + c]! + (1 - own) * peak * between(coarser, y, x, c));
    }
  return samples;
}

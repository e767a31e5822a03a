/**
 * @module Cubic interpolation of a picture's colours (Keys 1981, a = -1/2), as they are and weighted by alpha, row by row.
 * Alpha is interpolated softly, so that a pixel beside the edge of something opaque shows some of it: weighting gives that
 * pixel its colour. Interpolated as they are, the colours of a shadow would reach into what throws it.
 */
import { type Picture, peakOf, strideOf } from "./picture.ts";
import { certainty } from "./visible-colours.ts";

/** Takes one row of the enlarged picture: two times [colours, width], 0..1 but for overshoot. */
export type CubicSink = (y: number, plain: Float32Array, weighted: Float32Array) => void;

/**
 * Enlarges by a whole factor. Plain are the colours of `shown`, whose hidden ones continue the visible ones; weighted are
 * those of `picture` times alpha, over alpha, and plain where there is no alpha.
 */
export function enlargeColours(picture: Picture, shown: Picture, factor: number, emit: CubicSink): void {
  const { height, width, colours, samples } = picture;
  const stride = strideOf(picture);
  const scale = 1 / peakOf(picture);
  const wide = factor * width;
  const planes = 2 * colours + 1; // plain, times alpha, alpha
  const taps = Array.from({ length: factor }, (_, phase) => tapsAt(phase, factor));

  /** Row y of the picture, interpolated along itself. */
  const interpolated = (y: number): Float32Array => {
    const row = new Float32Array(planes * width);
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * stride;
      const alpha = scale * samples[at + colours]!;
      for (let c = 0; c < colours; c++) {
        row[c * width + x] = scale * shown.samples[at + c]!;
        row[(colours + c) * width + x] = alpha * scale * samples[at + c]!;
      }
      row[2 * colours * width + x] = alpha;
    }
    const out = new Float32Array(planes * wide);
    for (let p = 0; p < planes; p++)
      for (let x = 0; x < wide; x++) {
        const { first, weights } = taps[x % factor]!;
        const from = Math.floor(x / factor) + first;
        let value = 0;
        for (let k = 0; k < 4; k++)
          value += weights[k]! * row[p * width + Math.min(width - 1, Math.max(0, from + k))]!;
        out[p * wide + x] = value;
      }
    return out;
  };
  const rows = new Map<number, Float32Array>();
  const rowAt = (y: number): Float32Array => {
    const inside = Math.min(height - 1, Math.max(0, y));
    const row = rows.get(inside) ?? interpolated(inside);
    rows.set(inside, row);
    return row;
  };

  const plain = new Float32Array(colours * wide);
  const weighted = new Float32Array(colours * wide);
  for (let y = 0; y < factor * height; y++) {
    const { first, weights } = taps[y % factor]!;
    const from = Math.floor(y / factor) + first;
    const four = [0, 1, 2, 3].map((k) => rowAt(from + k));
    rows.delete(from - 1);
    const value = (i: number): number =>
      weights[0]! * four[0]![i]! +
      weights[1]! * four[1]![i]! +
      weights[2]! * four[2]![i]! +
      weights[3]! * four[3]![i]!;
    for (let x = 0; x < wide; x++) {
      const alpha = value(2 * colours * wide + x);
      const own = certainty(alpha);
      for (let c = 0; c < colours; c++) {
        const i = c * wide + x;
        plain[i] = value(i);
        weighted[i] = (own === 0 ? 0 : (own * value(i + colours * wide)) / alpha) + (1 - own) * plain[i];
      }
    }
    emit(y, plain, weighted);
  }
}

/** Where the four pixels of an enlarged one lie, counted from the one it lies in, and their weights. */
function tapsAt(
  phase: number,
  factor: number,
): { readonly first: number; readonly weights: readonly number[] } {
  const at = (phase + 0.5) / factor - 0.5;
  const t = at - Math.floor(at);
  return {
    first: Math.floor(at) - 1,
    weights: [
      (((2 - t) * t - 1) * t) / 2,
      ((3 * t - 5) * t * t + 2) / 2,
      (((4 - 3 * t) * t + 1) * t) / 2,
      ((t - 1) * t * t) / 2,
    ],
  };
}

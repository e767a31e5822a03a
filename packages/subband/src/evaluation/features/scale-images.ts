/** @module Scales planar images to other extents: by area where they become smaller, bilinearly where larger. */

/** `[height, width]` in pixels. */
export type Extents = readonly [height: number, width: number];

/** What one pixel of the result is made of: neighbouring pixels from `first` on. */
interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/**
 * Planes [n, height, width] at other extents, each way by itself. A way that shrinks averages over the area that a pixel
 * covers, parts of pixels included (OpenCV's `INTER_AREA`); one that grows interpolates linearly between centres of
 * pixels, the border repeated (PyTorch's `align_corners=False`). Writes into `into` from its start.
 */
export function scaleImages(
  planes: ArrayLike<number>,
  n: number,
  [height, width]: Extents,
  [newHeight, newWidth]: Extents,
  into: Float32Array = new Float32Array(n * newHeight * newWidth),
): Float32Array {
  const rows = tapsOf(height, newHeight);
  const columns = tapsOf(width, newWidth);
  const line = new Float64Array(width);
  for (let plane = 0, at = 0; plane < n; plane++)
    for (const { first, weights } of rows) {
      line.fill(0);
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k]!;
        const from = (plane * height + first + k) * width;
        for (let x = 0; x < width; x++) line[x]! += weight * planes[from + x]!;
      }
      for (const { first: left, weights: across } of columns) {
        let sum = 0;
        for (let k = 0; k < across.length; k++) sum += across[k]! * line[left + k]!;
        into[at++] = sum;
      }
    }
  return into;
}

function tapsOf(from: number, to: number): readonly Taps[] {
  return Array.from({ length: to }, (_, i) => (to < from ? areaTaps(i, from, to) : linearTaps(i, from, to)));
}

function areaTaps(i: number, from: number, to: number): Taps {
  const size = from / to;
  const first = Math.floor((i * from) / to);
  const last = Math.min(Math.ceil(((i + 1) * from) / to), from); // after the last
  const covered = (k: number) => Math.min(k + 1, (i + 1) * size) - Math.max(k, i * size);
  return { first, weights: Float64Array.from({ length: last - first }, (_, k) => covered(first + k) / size) };
}

function linearTaps(i: number, from: number, to: number): Taps {
  const at = Math.min(Math.max(((i + 0.5) * from) / to - 0.5, 0), from - 1);
  const first = Math.floor(at);
  const part = at - first;
  return { first, weights: part === 0 ? Float64Array.of(1) : Float64Array.of(1 - part, part) };
}

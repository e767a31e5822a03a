/**
 * @module Super-resolution by averages of blocks: one measured value a block of factor x factor pixels, its sum over
 * the square root of its area, which makes M orthonormal. Blocks at the right and lower border may be smaller, so that
 * images of any size have a low-resolution picture.
 */
import { UserError } from "onnxgrad";
import type { State } from "../denoiser.ts";
import {
  extentsSize,
  type ImageExtents,
  likeOf,
  type LinearMeasurement,
  requireLength,
} from "./measurement.ts";

/** A measurement of block averages, with the way to and from low-resolution pictures. */
export interface BlockAverages extends LinearMeasurement {
  /** Extents of the low-resolution picture, rounded up. */
  readonly lowExtents: ImageExtents;
  /** Measured values to the picture of block means. */
  toPicture<T extends State>(m: T): T;
  /** The picture of block means to measured values. */
  fromPicture<T extends State>(picture: T): T;
}

/**
 * The block averages of an image, as a picture `factor` times smaller.
 * @throws UserError `diffusion/measurement` unless the factor is an integer of at least 2.
 */
export function blockAverages(extents: ImageExtents, factor: number): BlockAverages {
  const name = "block averages";
  const size = extentsSize(name, extents);
  if (!Number.isInteger(factor) || factor < 2)
    throw new UserError(
      "diffusion/measurement",
      `${name}: factor ${factor}; expected an integer, 2 or more.`,
    );
  const [channels, height, width] = extents;
  const lowExtents = [channels, Math.ceil(height / factor), Math.ceil(width / factor)] as const;
  const [, lowHeight, lowWidth] = lowExtents;
  const count = channels * lowHeight * lowWidth;
  /** Number of the block of each pixel. */
  const block = new Uint32Array(size);
  const area = new Float64Array(count);
  for (let i = 0; i < size; i++) {
    const row = Math.floor(i / width); // over all channels
    const lowRow = Math.floor(row / height) * lowHeight + Math.floor((row % height) / factor);
    block[i] = lowRow * lowWidth + Math.floor((i % width) / factor);
    area[block[i]!]!++;
  }
  const root = area.map(Math.sqrt);

  function measure<T extends State>(x: T): T {
    requireLength(name, "image", x, size);
    const sums = new Float64Array(count);
    for (let i = 0; i < size; i++) sums[block[i]!] = sums[block[i]!]! + x[i]!;
    for (let k = 0; k < count; k++) sums[k] = sums[k]! / root[k]!;
    return likeOf(x, sums);
  }
  function adjoint<T extends State>(m: T): T {
    requireLength(name, "measurement", m, count);
    const out = new Float64Array(size);
    for (let i = 0; i < size; i++) out[i] = m[block[i]!]! / root[block[i]!]!;
    return likeOf(m, out);
  }
  function scaled<T extends State>(x: T, what: string, power: 1 | -1): T {
    requireLength(name, what, x, count);
    return x.map((value, k) => value * root[k]! ** power) as T;
  }
  return {
    name,
    extents,
    size,
    count,
    lowExtents,
    measure,
    adjoint,
    project: (x) => adjoint(measure(x)),
    toPicture: (m) => scaled(m, "measurement", -1),
    fromPicture: (picture) => scaled(picture, "low-resolution picture", 1),
  };
}

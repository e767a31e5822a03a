/**
 * @module Measurements of chosen spatial frequencies, whole pairs (k, -k), as entries of the orthonormal Hartley
 * transform: real, of any image size, and a true projector. (The published mask of low frequencies keeps -k without k
 * on one side, so that its square is not itself.)
 */
import { UserError } from "onnxgrad";
import { hartley2 } from "../../spectrum/hartley.ts";
import {
  chosenEntries,
  extentsSize,
  type ImageExtents,
  type LinearMeasurement,
  type OrthonormalTransform,
  shareCount,
} from "./measurement.ts";

/** The Hartley transform of every channel of an image. */
export function hartleyTransform(extents: ImageExtents): OrthonormalTransform {
  const [, height, width] = extents;
  const plane = hartley2(height, width);
  const transform = (x: Float64Array): void => {
    for (let from = 0; from < x.length; from += height * width)
      plane(x.subarray(from, from + height * width));
  };
  return { forward: transform, inverse: transform };
}

/** Index of frequency -k of a plane, for the index of k. */
export function mirroredFrequency(height: number, width: number, at: number): number {
  const [y, x] = [Math.floor(at / width), at % width];
  return ((height - y) % height) * width + ((width - x) % width);
}

/**
 * The frequencies where `keep` [height, width] is not 0, for every channel; frequency k of an axis of size n is at
 * index k mod n. Measured values are Hartley coefficients, channel by channel.
 * @throws UserError `diffusion/mask` when the mask has another size, keeps nothing, or keeps a frequency without its
 * mirror image.
 */
export function frequencies(extents: ImageExtents, keep: ArrayLike<number>): LinearMeasurement {
  const name = "frequencies";
  const size = extentsSize(name, extents);
  const [, height, width] = extents;
  const area = height * width;
  if (keep.length !== area)
    throw new UserError(
      "diffusion/mask",
      `frequency mask: ${keep.length} values; expected ${height} x ${width} = ${area}.`,
    );
  const chosen: number[] = [];
  for (let i = 0; i < size; i++) {
    const at = i % area;
    if (keep[at] === 0) continue;
    if (keep[mirroredFrequency(height, width, at)] === 0)
      throw new UserError(
        "diffusion/mask",
        `frequency mask: keeps [${Math.floor(at / width)}, ${at % width}] without its mirror image; real images ` +
          `need both. Make the mask symmetric.`,
      );
    chosen.push(i);
  }
  if (chosen.length === 0)
    throw new UserError("diffusion/mask", "frequency mask: keeps nothing; expected at least one frequency.");
  return chosenEntries(name, extents, chosen, hartleyTransform(extents));
}

/**
 * The lowest frequencies: a box `|ky| <= a, |kx| <= b` of the image's proportions that holds about `share` of all
 * frequencies (super-resolution in the Fourier sense). `count / size` is the share it really holds.
 * @throws UserError `diffusion/measurement` unless the share is in (0, 1] and keeps at least one value.
 */
export function lowFrequencies(extents: ImageExtents, share: number): LinearMeasurement {
  const [, height, width] = extents;
  extentsSize("low frequencies", extents);
  shareCount("low frequencies", share, height * width);
  // Each side of the box is a whole number of pairs and the mean; the second makes up for what rounding cost the first.
  const reach = (side: number): number => Math.max(0, Math.round((side - 1) / 2));
  const a = reach(height * Math.sqrt(share));
  const b = reach((share * height * width) / Math.min(2 * a + 1, height));
  const keep = new Uint8Array(height * width);
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      if (Math.min(y, height - y) <= a && Math.min(x, width - x) <= b) keep[y * width + x] = 1;
  return { ...frequencies(extents, keep), name: "low frequencies" };
}

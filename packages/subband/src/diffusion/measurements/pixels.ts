/** @module Measurements of single pixels: those that a mask leaves (inpainting), or a random share of them. */
import { rng, UserError } from "onnxgrad";
import {
  chosenEntries,
  extentsSize,
  type ImageExtents,
  type LinearMeasurement,
  shareCount,
} from "./measurement.ts";

/**
 * The values where `known` is not 0: one entry a pixel [height, width], for all channels, or one a value
 * [channels, height, width].
 * @throws UserError `diffusion/mask` when the mask has another size or leaves nothing.
 */
export function inpainting(extents: ImageExtents, known: ArrayLike<number>): LinearMeasurement {
  const size = extentsSize("inpainting", extents);
  const [channels, height, width] = extents;
  const area = height * width;
  if (known.length !== area && known.length !== size)
    throw new UserError(
      "diffusion/mask",
      `mask: ${known.length} values; expected ${height} x ${width} = ${area}, as the image (or ${channels} times as ` +
        `many, a mask a channel). Give a mask of the image's size.`,
    );
  const chosen: number[] = [];
  for (let i = 0; i < size; i++) if (known[i % known.length] !== 0) chosen.push(i);
  if (chosen.length === 0)
    throw new UserError(
      "diffusion/mask",
      "mask: hides the whole image; expected some known pixels. Invert the mask if its colours are swapped.",
    );
  return chosenEntries("inpainting", extents, chosen);
}

/** Settings of {@link randomPixels}. */
export interface RandomPixelsSettings {
  /** Draw whole pixels, all channels at once, instead of single values (the published choice); default false. */
  readonly wholePixels?: boolean;
}

/**
 * Exactly `floor(share n)` values of the image, drawn without repetition; n counts values, or pixels where those are
 * drawn whole.
 * @throws UserError `diffusion/measurement` unless the share is in (0, 1] and keeps at least one value.
 */
export function randomPixels(
  extents: ImageExtents,
  share: number,
  seed: number,
  settings: RandomPixelsSettings = {},
): LinearMeasurement {
  const size = extentsSize("random pixels", extents);
  const { wholePixels = false } = settings;
  const area = extents[1] * extents[2];
  const drawn = wholePixels ? area : size;
  const count = shareCount("random pixels", share, drawn);
  const known = new Uint8Array(drawn);
  for (const i of rng(seed, "random-pixels").permutation(drawn).subarray(0, count)) known[i] = 1;
  const chosen: number[] = [];
  for (let i = 0; i < size; i++) if (known[i % drawn] === 1) chosen.push(i);
  return chosenEntries("random pixels", extents, chosen);
}

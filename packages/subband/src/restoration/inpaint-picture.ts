/**
 * @module Fills in the marked part of a picture by sampling pictures that agree with the rest. Only the surroundings of
 * the marked part are looked at, and only the marked pixels change.
 */
import { UserError } from "onnxgrad";
import { inpainting } from "../diffusion/measurements/pixels.ts";
import { markedOf } from "./mask.ts";
import { blankLike, type Picture, strideOf } from "./picture.ts";
import { pictureOf, restoreMeasured, seenDeviation } from "./restore-measured.ts";
import { type RestorationOptions, samplingOf } from "./restoration-options.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { visibleColours } from "./visible-colours.ts";

/** Pixels around the marked part that are taken along. */
const CONTEXT = 64;

/** The filled picture. */
export interface Inpainted {
  readonly picture: Picture;
  /** Deviation of each pixel over the samples, 0 where the picture is known; absent for one sample. */
  readonly deviation?: Float32Array;
  /** Pixels filled in. */
  readonly filled: number;
  /** What looks like a mistake, one line each. */
  readonly notes: readonly string[];
}

/**
 * Fills in what `mask` marks: what is painted, where it has transparency, else what is lighter than middle gray.
 * @throws UserError `restoration/mask` for a mask of another size, and where `markedOf` does; `restoration/too-large`;
 * those of `RestorationOptions`.
 *
 * @example
 * const denoiser = tiledDenoiser(node(), openModel("builtin").model);
 * const [scratched, mask] = [await readPicture("scratched.png", true), await readPicture("mask.png", true)];
 * const { picture } = await inpaintPicture(denoiser, scratched, mask, { samples: 8 });
 * await writePicture("whole.png", picture);
 * await denoiser.dispose();
 */
export async function inpaintPicture(
  denoiser: TiledDenoiser,
  picture: Picture,
  mask: Picture,
  options: RestorationOptions = {},
): Promise<Inpainted> {
  const { sigma, ...sampling } = samplingOf(options);
  const { height, width } = picture;
  if (mask.height !== height || mask.width !== width)
    throw new UserError(
      "restoration/mask",
      `the mask has ${mask.width} x ${mask.height} pixels, the picture ${width} x ${height}. Give a mask of its size.`,
    );
  const { pixels: marked, count, notes } = markedOf(mask);
  const box = surroundings(marked, height, width);
  const part = cropPicture(picture, box);
  const known = new Uint8Array(box.height * box.width);
  for (let i = 0; i < known.length; i++) known[i] = marked[insideOf(box, width, i)] === 1 ? 0 : 1;
  const found = await restoreMeasured(
    denoiser,
    visibleColours(
      part,
      known.map((each) => 1 - each),
    ),
    {
      height: box.height,
      width: box.width,
      data(extents, values, gain) {
        const measurement = inpainting(extents, known);
        return { measurement, values: measurement.measure(values), noise: sigma * gain };
      },
    },
    sampling,
  );
  const filled = pictureOf(part, found, box.height, box.width);
  const samples = picture.samples.slice();
  const stride = strideOf(picture);
  const deviation = found.deviation && new Float32Array(height * width);
  for (let i = 0; i < known.length; i++) {
    const at = insideOf(box, width, i);
    if (marked[at] !== 1) continue;
    for (let c = 0; c < picture.colours; c++) samples[at * stride + c] = filled.samples[i * stride + c]!;
    if (deviation !== undefined) deviation[at] = found.deviation![i]!;
  }
  return {
    picture: { ...picture, samples },
    filled: count,
    notes,
    ...(deviation !== undefined && { deviation: seenDeviation(deviation, picture) }),
  };
}

/** A part of a picture. */
interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

function surroundings(marked: Uint8Array, height: number, width: number): Box {
  let [top, bottom, left, right] = [height, 0, width, 0];
  for (let i = 0; i < marked.length; i++) {
    if (marked[i] !== 1) continue;
    const [y, x] = [Math.floor(i / width), i % width];
    [top, bottom] = [Math.min(top, y), Math.max(bottom, y + 1)];
    [left, right] = [Math.min(left, x), Math.max(right, x + 1)];
  }
  top = Math.max(0, top - CONTEXT);
  left = Math.max(0, left - CONTEXT);
  return {
    top,
    left,
    height: Math.min(height, bottom + CONTEXT) - top,
    width: Math.min(width, right + CONTEXT) - left,
  };
}

/** Index in a picture of that width of pixel i of the box. */
function insideOf(box: Box, width: number, i: number): number {
  return (box.top + Math.floor(i / box.width)) * width + box.left + (i % box.width);
}

function cropPicture(picture: Picture, box: Box): Picture {
  const stride = strideOf(picture);
  const samples = blankLike(picture.samples, box.height * box.width * stride);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * picture.width + box.left) * stride;
    samples.set(picture.samples.subarray(from, from + box.width * stride), y * box.width * stride);
  }
  return { ...picture, height: box.height, width: box.width, samples };
}

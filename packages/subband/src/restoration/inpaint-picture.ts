/**
 * @module Fills in the marked parts of a picture by sampling pictures that agree with the rest. Only the surroundings of
 * what is marked are looked at, parts far from each other one by one, and only the marked pixels change.
 */
import { UserError } from "onnxgrad";
import { inpainting } from "../diffusion/measurements/pixels.ts";
import { markedOf } from "./mask.ts";
import { type Picture, strideOf } from "./picture.ts";
import { type Box, cropPicture, insideOf, regionsOf } from "./picture-regions.ts";
import { type MeasuredResult, pictureOf, restoreMeasured, seenDeviation } from "./restore-measured.ts";
import { type RestorationOptions, samplingOf } from "./restoration-options.ts";
import { type PosteriorOptions, samplesAtOnce } from "./sample-posterior.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { visibleColours } from "./visible-colours.ts";

/** Pixels around the marked ones that are taken along. */
const CONTEXT = 64;

/** The filled picture. */
export interface Inpainted {
  readonly picture: Picture;
  /** Deviation of each pixel over the samples, times its alpha, 0 where the picture is known; absent for one sample. */
  readonly deviation?: Float32Array;
  /** Pixels filled in. */
  readonly filled: number;
  /** What looks like a mistake, one line each. */
  readonly notes: readonly string[];
}

/**
 * Fills in what `mask` marks: what is painted, where it has transparency, else what is lighter than middle gray. Alpha is
 * kept, of marked pixels too.
 * @throws UserError `restoration/mask` for a mask of another size, and where `markedOf` does; `restoration/too-large`;
 * those of `RestorationOptions`.
 *
 * @example
 * const denoiser = tiledDenoiser(node(), (await openModel("builtin")).model);
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
  const boxes = regionsOf(marked, height, width, CONTEXT);
  // Whatever is too large is refused before the first part is begun.
  for (const box of boxes) samplesAtOnce(denoiser.model.channels * box.height * box.width, sampling.samples);
  const samples = picture.samples.slice();
  const deviation = sampling.samples > 1 ? new Float32Array(height * width) : undefined;
  const shares = sharesOf(boxes, sampling);
  for (const [k, box] of boxes.entries()) {
    const part = cropPicture(picture, box);
    const hidden = new Uint8Array(box.height * box.width);
    for (let i = 0; i < hidden.length; i++) hidden[i] = marked[insideOf(box, width, i)]!;
    const found = await fill(denoiser, part, hidden, sigma, shares[k]!);
    const filled = pictureOf(part, found, box.height, box.width);
    const stride = strideOf(picture);
    for (let i = 0; i < hidden.length; i++) {
      if (hidden[i] === 0) continue;
      const at = insideOf(box, width, i);
      for (let c = 0; c < picture.colours; c++) samples[at * stride + c] = filled.samples[i * stride + c]!;
      if (deviation !== undefined) deviation[at] = found.deviation![i]!;
    }
  }
  return {
    picture: { ...picture, samples },
    filled: count,
    notes: [...notes, ...invisible(picture, marked)],
    ...(deviation !== undefined && { deviation: seenDeviation(deviation, picture) }),
  };
}

/** Samples a part of a picture whose `hidden` pixels are unknown. */
function fill(
  denoiser: TiledDenoiser,
  part: Picture,
  hidden: Uint8Array,
  sigma: number,
  options: PosteriorOptions,
): Promise<MeasuredResult> {
  const known = hidden.map((each) => 1 - each);
  return restoreMeasured(
    denoiser,
    visibleColours(part, hidden),
    {
      height: part.height,
      width: part.width,
      // Known pixels without noise are what they are, whatever the model says of them.
      ...(sigma === 0 && { unknown: hidden }),
      data(extents, values, gain) {
        const measurement = inpainting(extents, known);
        return { measurement, values: measurement.measure(values), noise: sigma * gain };
      },
    },
    options,
  );
}

/**
 * The options of each part: its share of the progress, by area, and noise of its own, which depends on where it lies and
 * not on when its turn is. The first part has the noise of a picture that has no other.
 */
function sharesOf(boxes: readonly Box[], options: PosteriorOptions): PosteriorOptions[] {
  const total = boxes.reduce((sum, box) => sum + box.height * box.width, 0);
  const { onShare } = options;
  let before = 0;
  return boxes.map((box, k) => {
    const [from, size] = [before, box.height * box.width];
    before += size;
    return {
      ...options,
      ...(k > 0 && { part: `${box.top}-${box.left}` }),
      ...(onShare !== undefined && { onShare: (share) => onShare((from + share * size) / total) }),
    };
  });
}

/** A note where marked pixels are transparent and stay so. */
function invisible({ alpha, colours, samples }: Picture, marked: Uint8Array): string[] {
  if (!alpha) return [];
  let count = 0;
  for (const [i, each] of marked.entries())
    if (each === 1 && samples[i * (colours + 1) + colours] === 0) count++;
  return count === 0
    ? []
    : [
        `${count} of the pixels filled in are transparent and stay so: alpha is kept. Make them opaque first to see them.`,
      ];
}

/**
 * @module Enlarges pictures by sampling those whose block means are the picture. Alpha, and the picture to compare with,
 * are enlarged by cubic interpolation; where a picture is translucent, its colours are weighted by alpha.
 */
import { UserError } from "onnxgrad";
import sharp from "sharp";
import { blockAverages } from "../diffusion/measurements/block-averages.ts";
import { blankLike, type Picture, peakOf, strideOf } from "./picture.ts";
import { type MeasuredResult, pictureOf, restoreMeasured, seenDeviation } from "./restore-measured.ts";
import { type RestorationOptions, samplingOf } from "./restoration-options.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { isTranslucent, visibleColours } from "./visible-colours.ts";
import { enlargeColours } from "./weighted-cubic.ts";

/** Factors of enlargement. */
export const FACTORS = [2, 4, 8] as const;

/** The enlarged picture, and the same by cubic interpolation. */
export interface Upscaled extends Pick<MeasuredResult, "deviation"> {
  readonly picture: Picture;
  readonly cubic: Picture;
}

/**
 * Enlarges a picture by a factor of 2, 4 or 8.
 * @throws UserError `restoration/factor`; `restoration/too-large`; those of `RestorationOptions`.
 *
 * @example
 * const denoiser = tiledDenoiser(node(), (await openModel("builtin")).model);
 * const small = await readPicture("small.png", true);
 * const { picture } = await upscalePicture(denoiser, small, 4);
 * await writePicture("large.png", picture);
 * await denoiser.dispose();
 */
export async function upscalePicture(
  denoiser: TiledDenoiser,
  picture: Picture,
  factor: number,
  options: RestorationOptions = {},
): Promise<Upscaled> {
  requireFactor(factor);
  const { sigma, ...sampling } = samplingOf(options);
  const [height, width] = [factor * picture.height, factor * picture.width];
  const shown = visibleColours(picture);
  const found = await restoreMeasured(
    denoiser,
    shown,
    {
      height,
      width,
      data(extents, values, gain) {
        const measurement = blockAverages(extents, factor);
        return { measurement, values: measurement.fromPicture(values), noise: sigma * gain * factor };
      },
    },
    sampling,
  );
  return upscaledOf(picture, shown, found, factor);
}

/** The picture of a result from `shown`, its alpha enlarged by cubic interpolation, and all of it so. */
export async function upscaledOf(
  picture: Picture,
  shown: Picture,
  found: MeasuredResult,
  factor: number,
): Promise<Upscaled> {
  const [height, width] = [factor * picture.height, factor * picture.width];
  const cubic = await enlarged(picture, height, width);
  const result = pictureOf(picture, found, height, width);
  if (picture.alpha)
    for (let i = picture.colours; i < result.samples.length; i += strideOf(picture))
      result.samples[i] = cubic.samples[i]!;
  if (isTranslucent(picture)) weightByAlpha(picture, shown, factor, result, cubic);
  const { deviation } = found;
  return {
    picture: result,
    cubic,
    ...(deviation !== undefined && { deviation: seenDeviation(deviation, result) }),
  };
}

/** By how much weighting must move a colour, white being 1, for nothing drawn to be kept there. */
const FOREIGN = 1 / 8;

/**
 * Weights colours by alpha: those of `cubic` are replaced, those of `result` moved as far as weighting moves interpolated
 * ones. Where that is far, the colours of neighbours differ in alpha and in colour alike; what was drawn between them then
 * is an edge that the softer alpha does not have, and is left out.
 */
function weightByAlpha(
  picture: Picture,
  shown: Picture,
  factor: number,
  result: Picture,
  cubic: Picture,
): void {
  const { colours } = picture;
  const [width, stride, peak] = [result.width, strideOf(picture), peakOf(picture)];
  const sample = (value: number): number => Math.min(peak, Math.max(0, Math.round(peak * value)));
  enlargeColours(picture, shown, factor, (y, plain, weighted) => {
    for (let x = 0; x < width; x++) {
      const at = (y * width + x) * stride;
      let moved = 0;
      for (let c = 0; c < colours; c++)
        moved = Math.max(moved, Math.abs(weighted[c * width + x]! - plain[c * width + x]!));
      const kept = Math.max(0, 1 - moved / FOREIGN);
      for (let c = 0; c < colours; c++) {
        const i = c * width + x;
        const drawn = result.samples[at + c]! / peak - plain[i]!;
        result.samples[at + c] = sample(weighted[i]! + kept * drawn);
        cubic.samples[at + c] = sample(weighted[i]!);
      }
    }
  });
}

/** @throws UserError `restoration/factor`. */
export function requireFactor(factor: number): void {
  if (!(FACTORS as readonly number[]).includes(factor))
    throw new UserError("restoration/factor", `factor: ${factor}. Known: ${FACTORS.join(", ")}.`);
}

/** By cubic interpolation, each channel for itself. */
async function enlarged(picture: Picture, height: number, width: number): Promise<Picture> {
  const stride = strideOf(picture);
  const samples = blankLike(picture.samples, height * width * stride);
  const deep = samples instanceof Uint16Array;
  for (let c = 0; c < stride; c++) {
    const plane = picture.samples.filter((_, i) => i % stride === c);
    const { data } = await sharp(plane, {
      raw: { height: picture.height, width: picture.width, channels: 1 },
    })
      .toColourspace(deep ? "grey16" : "b-w")
      .resize(width, height, { kernel: "cubic", fit: "fill" })
      .raw({ depth: deep ? "ushort" : "uchar" })
      .toBuffer({ resolveWithObject: true });
    const values = deep ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2) : data;
    for (let i = 0; i < height * width; i++) samples[i * stride + c] = values[i]!;
  }
  return { ...picture, height, width, samples };
}

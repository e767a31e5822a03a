/**
 * @module A restored picture beside its reference: PSNR and SSIM before and after, and all of them side by side as one
 * picture.
 */
import { UserError } from "onnxgrad";
import sharp from "sharp";
import { psnr } from "../evaluation/psnr.ts";
import { ssim } from "../evaluation/ssim.ts";
import { type Picture, peakOf, type PictureSamples, strideOf } from "./picture.ts";

/** How near a picture is to its reference. */
export interface Similarity {
  /** dB. */
  readonly psnr: number;
  /** Absent for pictures below 11 pixels a side. */
  readonly ssim?: number;
}

/** Pixels between the pictures of a strip. */
const GAP = 8;
/** Widest strip; wider ones are reduced. */
const STRIP_WIDTH = 8192;

/**
 * PSNR and SSIM of a picture, both over red, green and blue, or gray where both are gray. Alpha is not looked at.
 * @throws UserError `picture/reference` when the sizes differ.
 */
export function similarity(picture: Picture, reference: Picture): Similarity {
  const { height, width } = reference;
  if (picture.height !== height || picture.width !== width)
    throw new UserError(
      "picture/reference",
      `the reference has ${width} x ${height} pixels, the result ${picture.width} x ${picture.height}. Give --compare a ` +
        `picture of the result's size.`,
    );
  const colours = Math.max(picture.colours, reference.colours);
  const deep = peakOf(picture) !== peakOf(reference) || peakOf(picture) === 65535;
  const [a, b] = [planar(picture, colours, deep), planar(reference, colours, deep)];
  const peak = deep ? 65535 : 255;
  return {
    psnr: psnr(a, b, peak),
    ...(Math.min(height, width) >= 11 && { ssim: ssim(a, b, [colours, height, width], peak) }),
  };
}

/** `[colours, height, width]`, in 8 or 16 bits. */
function planar(picture: Picture, colours: number, deep: boolean): PictureSamples {
  const { height, width, samples } = picture;
  const stride = strideOf(picture);
  const area = height * width;
  const out = deep ? new Uint16Array(colours * area) : new Uint8Array(colours * area);
  const scale = deep ? 65535 / peakOf(picture) : 1;
  for (let c = 0; c < colours; c++) {
    const from = Math.min(c, picture.colours - 1);
    for (let i = 0; i < area; i++) out[c * area + i] = scale * samples[i * stride + from]!;
  }
  return out;
}

/** Pictures of one size side by side, 8 bits a sample, transparency gone, as a PNG. */
export async function stripPng(pictures: readonly Picture[]): Promise<Uint8Array> {
  const { height, width } = pictures[0]!;
  const total = pictures.length * (width + GAP) - GAP;
  const strip = new Uint8Array(3 * total * height).fill(255);
  for (const [k, picture] of pictures.entries()) {
    const stride = strideOf(picture);
    const scale = 255 / peakOf(picture);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const from = (y * width + x) * stride;
        const to = 3 * (y * total + k * (width + GAP) + x);
        for (let c = 0; c < 3; c++)
          strip[to + c] = Math.round(scale * picture.samples[from + Math.min(c, picture.colours - 1)]!);
      }
  }
  const image = sharp(strip, { raw: { width: total, height, channels: 3 } });
  const fitted = total > STRIP_WIDTH ? image.resize({ width: STRIP_WIDTH }) : image;
  return fitted.png().toBuffer();
}

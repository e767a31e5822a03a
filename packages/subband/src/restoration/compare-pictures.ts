/**
 * @module A restored picture beside its reference: PSNR and SSIM before and after, and all of them side by side as one
 * picture.
 */
import { UserError } from "onnxgrad";
import sharp from "sharp";
import { psnr } from "../evaluation/psnr.ts";
import { ssim } from "../evaluation/ssim.ts";
import { inOneSpace, inSrgb } from "./colour-space.ts";
import { type Picture, peakOf, type PictureSamples, strideOf } from "./picture.ts";
import { isTranslucent } from "./visible-colours.ts";

/** How near a picture is to its reference. */
export interface Similarity {
  /** dB; Infinity where nothing differs. */
  readonly psnr: number;
  /** Absent for pictures below 11 pixels a side. */
  readonly ssim?: number;
  /** What was left out or converted, one line each; absent where nothing was. */
  readonly notes?: readonly string[];
}

/** Pixels between the pictures of a strip. */
const GAP = 8;
/** Widest strip; wider ones are reduced. */
const STRIP_WIDTH = 8192;

/**
 * PSNR and SSIM of a picture, both over red, green and blue, or gray where both are gray, in the profile that both have, or
 * in sRGB. A pixel counts by its alpha in the picture times that in the reference, so that colours which nobody sees do not
 * count. Alpha itself is not compared: restoration keeps or interpolates it.
 * @throws UserError `picture/reference` when the sizes differ, or no pixel is visible in both.
 */
export async function similarity(picture: Picture, reference: Picture): Promise<Similarity> {
  const { height, width } = reference;
  requireSameSize(picture, reference);
  const spaces = await inOneSpace([picture, reference]);
  const [one, other] = [spaces[0]!, spaces[1]!];
  const large = Math.min(height, width) >= 11;
  const seen = visibility(one, other);
  if (seen === "nothing")
    return {
      psnr: Infinity,
      ...(large && { ssim: 1 }),
      notes: ["both pictures are transparent everywhere, and equal to the eye."],
    };
  const colours = Math.max(one.colours, other.colours);
  const deep = peakOf(one) !== peakOf(other) || peakOf(one) === 65535;
  const [a, b] = [planar(one, colours, deep), planar(other, colours, deep)];
  const peak = deep ? 65535 : 255;
  const notes = [
    ...(one === picture && other === reference
      ? []
      : ["compared in sRGB, because the colour profiles differ."]),
    ...(seen?.notes ?? []),
  ];
  const shape = [colours, height, width] as const;
  return {
    psnr: psnr(a, b, peak, seen?.weights),
    ...(large && { ssim: ssim(a, b, shape, peak, seen?.weights) }),
    ...(notes.length > 0 && { notes }),
  };
}

/**
 * Refuses a reference that the result cannot be compared with; sizes suffice, so that it can be told before the work.
 * @throws UserError `picture/reference`.
 */
export function requireSameSize(
  result: Pick<Picture, "height" | "width">,
  reference: Pick<Picture, "height" | "width">,
): void {
  if (result.height !== reference.height || result.width !== reference.width)
    throw new UserError(
      "picture/reference",
      `the reference has ${reference.width} x ${reference.height} pixels, the result ${result.width} x ${result.height}. Give --compare a ` +
        `picture of the result's size.`,
    );
}

/** How far each pixel is seen in both pictures, 0..1; undefined where both are opaque, and nothing where neither is seen. */
function visibility(
  a: Picture,
  b: Picture,
): { readonly weights: Float32Array; readonly notes: readonly string[] } | "nothing" | undefined {
  if (!isTranslucent(a) && !isTranslucent(b)) return undefined;
  const weights = new Float32Array(a.height * a.width);
  let [total, difference] = [0, 0];
  for (let i = 0; i < weights.length; i++) {
    const [one, other] = [alphaAt(a, i), alphaAt(b, i)];
    weights[i] = one * other;
    total += one * other;
    difference = Math.max(difference, Math.abs(one - other));
  }
  if (total === 0 && difference === 0) return "nothing";
  if (total === 0)
    throw new UserError(
      "picture/reference",
      "nothing to compare: no pixel is visible in both the picture and its reference. Give a reference of the same alpha.",
    );
  const left = 100 * (1 - total / weights.length);
  return {
    weights,
    notes: [
      `transparent pixels are left out of PSNR and SSIM, translucent ones count by their alpha: ${left.toFixed(1)} % of the ` +
        `picture in all.`,
      ...(difference > 1 / 255
        ? [`alpha differs from that of the reference by up to ${difference.toFixed(2)}; it is not compared.`]
        : []),
    ],
  };
}

/** 0..1 */
function alphaAt(picture: Picture, i: number): number {
  const { samples, alpha, colours } = picture;
  return alpha ? samples[i * (colours + 1) + colours]! / peakOf(picture) : 1;
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

/** Pictures of one size side by side, in sRGB of 8 bits a sample, transparency on white, as a PNG. */
export async function stripPng(pictures: readonly Picture[]): Promise<Uint8Array> {
  const { height, width } = pictures[0]!;
  const total = pictures.length * (width + GAP) - GAP;
  const strip = new Uint8Array(3 * total * height).fill(255);
  for (const [k, each] of pictures.entries()) {
    const picture = await inSrgb(each);
    const stride = strideOf(picture);
    const scale = 255 / peakOf(picture);
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const from = (y * width + x) * stride;
        const to = 3 * (y * total + k * (width + GAP) + x);
        const opacity = alphaAt(picture, y * width + x);
        for (let c = 0; c < 3; c++) {
          const colour = scale * picture.samples[from + Math.min(c, picture.colours - 1)]!;
          strip[to + c] = Math.round(opacity * colour + (1 - opacity) * 255);
        }
      }
  }
  const image = sharp(strip, { limitInputPixels: false, raw: { width: total, height, channels: 3 } });
  const fitted = total > STRIP_WIDTH ? image.resize({ width: STRIP_WIDTH }) : image;
  return fitted.png().toBuffer();
}

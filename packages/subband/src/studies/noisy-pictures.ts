/**
 * @module Test pictures of a denoising study, and their noise: a pure function of (seed, picture, noise level), so that
 * every method, inside this program or outside, sees the same numbers, whichever other pictures and levels are studied.
 */
import { rng, UserError } from "onnxgrad";
import sharp from "sharp";
import { decodeImage } from "../data/decode-image.ts";
import type { SkipReason } from "../data/skip-reason.ts";
import { listImageFolder } from "../data/image-folder.ts";

/** A picture without noise. */
export interface Picture {
  /** Path in its folder, `/` between parts. */
  readonly name: string;
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  /** `[channels, height, width]` in [0, 1]. */
  readonly data: Float32Array;
}

/** What {@link readPictures} takes from each file. */
export interface PictureOptions {
  readonly channels: 1 | 3;
  /** Pixels a side, at most: larger pictures are cropped at the centre. */
  readonly size: number;
  /** What is no picture to study: where the study writes. */
  readonly exclude?: readonly string[];
}

/** Extents are multiples of this, so that models of up to four levels take them. */
const MULTIPLE = 16;

/** Standard deviation of noise, of 255: what is sensible to study. */
const MAX_SIGMA = 1000;

/**
 * The pictures of a folder and its subfolders, by name, cropped at the centre to multiples of 16 pixels; files that are
 * no pictures, or too small for one such block, are passed over.
 * @throws UserError `study/pictures` when there are none.
 */
export async function readPictures(folder: string, options: PictureOptions): Promise<Picture[]> {
  const { channels, size, exclude = [] } = options;
  const { files } = await listImageFolder(folder, { exclude });
  const pictures: Picture[] = [];
  for (const { name, use } of files) {
    const picture = await use((bytes) => cropPicture(name, bytes, { channels, size }));
    if (picture !== undefined) pictures.push(picture);
  }
  if (pictures.length === 0)
    throw new UserError(
      "study/pictures",
      `no pictures: "${folder}" has no image of ${MULTIPLE} x ${MULTIPLE} pixels or more. Give a folder of photographs.`,
    );
  return pictures;
}

/** One picture cropped at the centre; undefined when it is none, or too small. */
async function cropPicture(
  name: string,
  bytes: Uint8Array | SkipReason,
  { channels, size }: PictureOptions,
): Promise<Picture | undefined> {
  if (typeof bytes === "string") return undefined;
  const extents = await extentsOf(bytes);
  if (extents === undefined) return undefined;
  const decoded = await decodeImage(bytes, { channels, ...extents });
  if (typeof decoded === "string") return undefined;
  const [height, width] = [cropped(extents.height, size), cropped(extents.width, size)];
  if (height === 0 || width === 0) return undefined;
  const top = Math.floor((extents.height - height) / 2);
  const left = Math.floor((extents.width - width) / 2);
  const data = new Float32Array(channels * height * width);
  for (let at = 0, c = 0; c < channels; c++)
    for (let y = 0; y < height; y++) {
      const row = (c * extents.height + top + y) * extents.width + left;
      for (let x = 0; x < width; x++) data[at++] = decoded[row + x]! / 255;
    }
  return { name, channels, height, width, data };
}

/**
 * Noise levels, ascending and each once.
 * @throws UserError `study/sigma`.
 */
export function checkedSigmas(sigmas: readonly number[]): readonly number[] {
  const bad = sigmas.find((sigma) => !(sigma > 0 && sigma <= MAX_SIGMA));
  if (bad !== undefined || sigmas.length === 0)
    throw new UserError(
      "study/sigma",
      `noise level: ${bad ?? "none"}. Give standard deviations of 255, above 0 and at most ${MAX_SIGMA}: 25,50,100.`,
    );
  return [...new Set(sigmas)].toSorted((a, b) => a - b);
}

/** The picture plus white Gaussian noise of deviation sigma / 255; not clipped. */
export function addNoise({ name, data }: Picture, sigma: number, seed: number): Float32Array {
  const noise = rng(seed, `study-noise ${sigma} ${name}`).fillNormal(new Float32Array(data.length));
  return noise.map((z, i) => data[i]! + (sigma / 255) * z);
}

async function extentsOf(
  bytes: Uint8Array,
): Promise<{ readonly height: number; readonly width: number } | undefined> {
  try {
    return (await sharp(bytes).metadata()).autoOrient;
  } catch {
    return undefined; // decodeImage would say why; here it is enough that it is no picture
  }
}

const cropped = (extent: number, size: number): number => Math.min(extent, size) & -MULTIPLE;

/**
 * @module Pictures as they come from files and go back to them: 8 or 16 bits as they were, grey or colour, alpha and
 * colour profile kept, turned upright by their EXIF orientation. What cannot be kept is told in a note; what cannot be
 * restored (animations, broken files) is refused in one line.
 */
import { extname } from "node:path";
import { readFileSync, statSync } from "node:fs";
import { UserError } from "onnxgrad";
import type { Refusal } from "../data/picture-kinds.ts";
import type { OpenPicture } from "../data/read-picture.ts";
import { MAX_FILE_BYTES } from "../data/skip-reason.ts";
import { writeFileAtomic } from "../training/atomic-file.ts";
import { withProfile } from "./png-profile.ts";

/** Samples of a picture, by their depth. */
export type PictureSamples = Uint8Array | Uint16Array;

/** A decoded picture. */
export interface Picture {
  readonly height: number;
  readonly width: number;
  /** Grey or red, green, blue. */
  readonly colours: 1 | 3;
  /** Whether the last sample of every pixel is its opacity. */
  readonly alpha: boolean;
  /** `[height, width, colours + alpha]`, 0..255 or 0..65535. */
  readonly samples: PictureSamples;
  /** The ICC profile that the samples are in; sRGB where there is none. */
  readonly profile?: Uint8Array;
  /** What was lost or changed in reading, one line each. */
  readonly notes: readonly string[];
}

/** An encoded picture: the path of its file, or its bytes and what to call it. */
export type PictureSource = string | { readonly name: string; readonly bytes: Uint8Array };

const WRITABLE = [".png", ".tif", ".tiff", ".webp", ".jpg", ".jpeg"] as const;

/** Samples of a pixel. */
export function strideOf({ colours, alpha }: Pick<Picture, "colours" | "alpha">): number {
  return colours + (alpha ? 1 : 0);
}

/** The sample of full intensity. */
export function peakOf({ samples }: Pick<Picture, "samples">): 255 | 65535 {
  return samples instanceof Uint16Array ? 65535 : 255;
}

/** Whether a file of this name can hold a colour profile as it was. */
export function keepsProfile(path: string): boolean {
  return extname(path).toLowerCase() === ".png";
}

/**
 * Reads a picture of a kind in data/picture-kinds.ts. CMYK and Lab become sRGB; so does a colour profile unless
 * `keepProfile`.
 * @throws UserError `picture/...`: missing, not a picture, broken, too large, animated, or of another kind.
 */
export async function readPicture(source: PictureSource, keepProfile: boolean): Promise<Picture> {
  const { name: path, bytes } =
    typeof source === "string" ? { name: source, bytes: readBytes(source) } : source;
  const { isRefusal, openPicture, readSamples, refusalOf } = await import("../data/read-picture.ts");
  const found = await openPicture(bytes);
  if (isRefusal(found)) throw refused(path, found);
  const { colours, alpha, profile } = found;
  const keep = keepProfile && profile !== undefined;
  try {
    const decoded = await readSamples(found, keepProfile);
    return { ...decoded, colours, alpha, notes: notesOf(path, found, keep), ...(keep && { profile }) };
  } catch (error) {
    throw refused(path, refusalOf(error));
  }
}

function refused(path: string, { code, what, remedy }: Refusal): UserError {
  // What is no picture at all comes first, as of any other file that is not what was asked for.
  const line = what.startsWith("is not ") ? `${what.slice("is ".length)}: "${path}"` : `"${path}" ${what}`;
  return new UserError(`picture/${code}`, `${line}. ${remedy}`);
}

/** What is told of how the colours were taken. */
function notesOf(path: string, { from, profile, profileProblem }: OpenPicture, keep: boolean): string[] {
  if (from !== undefined) return [`"${path}" is ${from}; it was converted to sRGB.`];
  if (profileProblem !== undefined)
    return [`the colour profile of "${path}" is ${profileProblem}; the picture was taken for sRGB.`];
  return profile === undefined || keep
    ? []
    : [`the colour profile of "${path}" was converted to sRGB; write a .png to keep it.`];
}

function readBytes(path: string): Uint8Array {
  const status = statSync(path, { throwIfNoEntry: false });
  if (status === undefined) throw new UserError("picture/missing", `no such picture: "${path}".`);
  if (!status.isFile()) throw new UserError("picture/missing", `not a file: "${path}". Give a picture here.`);
  if (status.size === 0)
    throw new UserError("picture/broken", `empty file: "${path}". Restore a copy or leave it out.`);
  if (status.size > MAX_FILE_BYTES)
    throw new UserError(
      "picture/size",
      `too large: "${path}" has ${Math.ceil(status.size / 1e6)} MB, the most is ${MAX_FILE_BYTES / 1e6}.`,
    );
  return readFileSync(path);
}

/** Zeros of the same depth. */
export function blankLike(samples: PictureSamples, length: number): PictureSamples {
  return samples instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
}

/** Most pixels a side, where a format has a bound below that of PNG and TIFF, which hold any picture that can be read. */
const MOST_PIXELS: Readonly<Record<string, { readonly name: string; readonly side: number }>> = {
  ".webp": { name: "WebP", side: 16_383 },
  ".jpg": { name: "JPEG", side: 65_500 }, // the format has 65,535; libjpeg writes no more than this
  ".jpeg": { name: "JPEG", side: 65_500 },
};

/**
 * Refuses a name that no picture can be written under, or none of that size, before any work is done.
 * @throws UserError `picture/format`, `picture/size`.
 */
export function requireWritable(path: string, size?: Pick<Picture, "height" | "width">): void {
  const extension = extname(path).toLowerCase();
  if (!(WRITABLE as readonly string[]).includes(extension))
    throw new UserError(
      "picture/format",
      `cannot write "${path}": unknown extension "${extension}". Known: ${WRITABLE.join(", ")}.`,
    );
  const most = MOST_PIXELS[extension];
  if (size !== undefined && most !== undefined && Math.max(size.height, size.width) > most.side)
    throw new UserError(
      "picture/size",
      `cannot write "${path}": the picture will have ${size.width} x ${size.height} pixels, and ${most.name} holds at most ` +
        `${most.side} a side. Write a .png or .tiff.`,
    );
}

/**
 * Writes a picture in the format of its name, whole or not at all; returns notes of what the format cannot hold.
 * @throws UserError `picture/format`, `picture/size`; `file/...` of `writeFileAtomic`.
 */
export async function writePicture(path: string, picture: Picture): Promise<readonly string[]> {
  const { bytes, notes } = await encodePicture(path, picture);
  writeFileAtomic(path, bytes);
  return notes;
}

/**
 * The bytes of a file called `path`, and notes of what its format cannot hold.
 * @throws UserError `picture/format`, `picture/size`.
 */
export async function encodePicture(
  path: string,
  picture: Picture,
): Promise<{ readonly bytes: Uint8Array; readonly notes: readonly string[] }> {
  requireWritable(path, picture);
  const { height, width, colours, alpha, samples, profile } = picture;
  const deep = samples instanceof Uint16Array;
  const raw = {
    limitInputPixels: false,
    raw: { height, width, channels: strideOf(picture) as 1 | 2 | 3 | 4 },
  };
  const { default: sharp } = await import("sharp"); // takes a while to load
  const image = sharp(samples, raw).toColourspace(
    colours === 1 ? (deep ? "grey16" : "b-w") : deep ? "rgb16" : "srgb",
  );
  const extension = extname(path).toLowerCase();
  const notes: string[] = [];
  if (deep && !["png", "tif", "tiff"].includes(extension.slice(1)))
    notes.push(`"${path}" holds 8 bits a sample; write a .png or .tiff to keep 16.`);
  if (extension === ".png") {
    const png = await image.png().toBuffer();
    return { bytes: profile === undefined ? png : withProfile(png, profile), notes };
  }
  if (extension.startsWith(".tif"))
    return { bytes: await image.tiff({ compression: "deflate", predictor: "horizontal" }).toBuffer(), notes };
  if (extension === ".webp") return { bytes: await image.webp({ lossless: true }).toBuffer(), notes };
  if (alpha) notes.push(`"${path}" cannot hold transparency: white shines through; write a .png to keep it.`);
  const opaque = alpha ? image.flatten({ background: "#ffffff" }) : image;
  return { bytes: await opaque.jpeg({ quality: 95, chromaSubsampling: "4:4:4" }).toBuffer(), notes };
}

/**
 * @module One encoded image to planar bytes of the wanted shape. The policy, in order: EXIF orientation honoured,
 * embedded colour profile and CMYK to sRGB, 16 bits to 8, alpha composited on white, scaled to cover the wanted size
 * and cropped at the centre, grey as Rec. 601 luma. Never throws for bad images: it names the reason to skip.
 */
import sharp, { type Sharp } from "sharp";

/** What every image of a data set is brought to. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** Why a file or an archive entry is left out. */
export type SkipReason =
  | "animated"
  | "archive damaged"
  | `compressed over ${number}:1`
  | "corrupt or truncated"
  | "empty file"
  | "encrypted"
  | "folder of a run"
  | "format not supported"
  | "hidden file"
  | "link"
  | "linked folder"
  | "name not in UTF-8"
  | "not an image file"
  | `over ${number} MB`
  | `over ${number} megapixels`
  | "own output"
  | "overlaps another entry"
  | "same name as another"
  | "smaller than a patch"
  | "unreadable";

/** Images above this many pixels are refused: a small file can claim a huge size (decompression bomb). */
export const MAX_PIXELS = 128e6;

/** Files above this many bytes are refused. */
export const MAX_FILE_BYTES = 256e6;

/** The reason given for a file over {@link MAX_FILE_BYTES}. */
export const OVER_BYTES: SkipReason = `over ${MAX_FILE_BYTES / 1e6} MB`;

/** The reason given for an image over {@link MAX_PIXELS}. */
export const OVER_PIXELS: SkipReason = `over ${MAX_PIXELS / 1e6} megapixels`;

const FORMATS: ReadonlySet<string> = new Set(["jpeg", "png", "webp", "heif", "gif", "tiff"]);
const MAY_MOVE: ReadonlySet<string> = new Set(["gif", "webp"]);

/**
 * Decodes JPEG, PNG, WebP, AVIF, GIF or TIFF (first page) into `[channels, height, width]`, 0..255, or says why not.
 * A GIF or WebP of more than one frame is `animated`.
 */
export async function decodeImage(bytes: Uint8Array, shape: ImageShape): Promise<Uint8Array | SkipReason> {
  return decodeBy(bytes, (image) => fit(image, shape));
}

/** A decoded picture of its own size. */
export interface Picture {
  /** `[height, width, stride]`, 0..255. */
  readonly data: Uint8Array;
  readonly height: number;
  readonly width: number;
  /** Samples a pixel: 3, or 1 of a grey picture. */
  readonly stride: number;
}

/** Decodes as {@link decodeImage} does, without changing the size. */
export async function decodePicture(bytes: Uint8Array): Promise<Picture | SkipReason> {
  return decodeBy(bytes, (image) => picture(image.autoOrient().flatten({ background: "#ffffff" })));
}

/** The picture at half the size, smoothed as it is made smaller; an odd row or column is left out. */
export async function halvePicture({ data, height, width, stride }: Picture): Promise<Picture> {
  const channels = stride as 1 | 3;
  const [h, w] = [height >> 1, width >> 1];
  const even = { left: 0, top: 0, width: 2 * w, height: 2 * h };
  return picture(sharp(data, { raw: { width, height, channels } }).extract(even).resize(w, h));
}

async function decodeBy<T>(bytes: Uint8Array, decode: (image: Sharp) => Promise<T>): Promise<T | SkipReason> {
  if (bytes.length === 0) return "empty file";
  if (bytes.length > MAX_FILE_BYTES) return OVER_BYTES;
  try {
    const image = sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" });
    const { format, pages = 1 } = await image.metadata();
    if (!FORMATS.has(format)) return "format not supported";
    if (pages > 1 && MAY_MOVE.has(format)) return "animated";
    return await decode(image);
  } catch (error) {
    return /pixel limit/i.test(String(error)) ? OVER_PIXELS : "corrupt or truncated";
  }
}

/** Draws an SVG of ours at the wanted shape. @throws Error when the drawing is invalid. */
export async function drawSvg(svg: string, shape: ImageShape): Promise<Uint8Array> {
  return fit(sharp(Buffer.from(svg)), shape);
}

/** Brings a decoded planar RGB image `[3, height, width]` to another shape, by the same policy as files. */
export async function refit(planar: Uint8Array, from: ImageShape, to: ImageShape): Promise<Uint8Array> {
  const area = from.height * from.width;
  const interleaved = new Uint8Array(3 * area);
  for (let i = 0; i < area; i++) for (let c = 0; c < 3; c++) interleaved[3 * i + c] = planar[c * area + i]!;
  return fit(sharp(interleaved, { raw: { channels: 3, height: from.height, width: from.width } }), to);
}

/** `[height * width, stride]` interleaved to `[channels, height, width]` planar. */
export function toPlanar(interleaved: Uint8Array, stride: number, shape: ImageShape): Uint8Array {
  const area = shape.height * shape.width;
  const planar = new Uint8Array(shape.channels * area);
  const colour = stride >= 3;
  for (let i = 0; i < area; i++) {
    const at = i * stride;
    const red = interleaved[at]!;
    const green = colour ? interleaved[at + 1]! : red;
    const blue = colour ? interleaved[at + 2]! : red;
    if (shape.channels === 1) {
      planar[i] = Math.round(0.299 * red + 0.587 * green + 0.114 * blue);
    } else {
      planar[i] = red;
      planar[area + i] = green;
      planar[2 * area + i] = blue;
    }
  }
  return planar;
}

async function fit(image: Sharp, shape: ImageShape): Promise<Uint8Array> {
  const { data, stride } = await picture(
    image
      .autoOrient()
      .flatten({ background: "#ffffff" })
      .resize(shape.width, shape.height, { fit: "cover", position: "centre" }),
  );
  return toPlanar(data, stride, shape);
}

async function picture(image: Sharp): Promise<Picture> {
  const { data, info } = await image
    .toColourspace("srgb")
    .raw({ depth: "uchar" })
    .toBuffer({ resolveWithObject: true });
  return { data, height: info.height, width: info.width, stride: info.channels };
}

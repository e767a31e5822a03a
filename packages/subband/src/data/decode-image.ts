/**
 * @module One encoded image to planar bytes of the wanted shape. The policy, in order: read as read-picture says, 16 bits
 * to 8, alpha composited on white, scaled to cover the wanted size and cropped at the centre, grey as Rec. 601 luma.
 * Never throws for bad images: it names the reason to skip.
 */
import sharp, { type Sharp } from "sharp";
import {
  decoderOf,
  isRefusal,
  openPicture,
  type OpenPicture,
  readSamples,
  refusalOf,
} from "./read-picture.ts";
import type { SkipReason } from "./skip-reason.ts";

/** What every image of a data set is brought to. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/**
 * Decodes JPEG, PNG, WebP, AVIF, GIF or TIFF, see picture-kinds, into `[channels, height, width]`, 0..255, or says why not.
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
  return decodeBy(bytes, picture);
}

/** The picture at half the size, smoothed as it is made smaller; an odd row or column is left out. */
export async function halvePicture({ data, height, width, stride }: Picture): Promise<Picture> {
  const channels = stride as 1 | 3;
  const [h, w] = [height >> 1, width >> 1];
  const even = { left: 0, top: 0, width: 2 * w, height: 2 * h };
  return picture(eightBitSrgb(sharp(data, { raw: { width, height, channels } }).extract(even).resize(w, h)));
}

/** Opens a picture and runs its upright 8-bit pipeline; `finish` says what is done with the pixels. */
async function decodeBy<T>(bytes: Uint8Array, finish: (image: Sharp) => Promise<T>): Promise<T | SkipReason> {
  const found = await openPicture(bytes);
  if (isRefusal(found)) return found.reason;
  try {
    return await finish(await eightBits(found));
  } catch (error) {
    return refusalOf(error).reason;
  }
}

/**
 * The pipeline of a picture, composited on white. The decoder composites before it converts 16 bits by their profile,
 * leaves grey profiles to us, takes any fourth channel for alpha, and may not read a JPEG to its end when it makes it
 * smaller; pictures for which that would matter are decoded whole first. They are rare. 16 bits with a profile stay so
 * until they are converted, since linear light has few steps of 8 bits in the dark.
 */
async function eightBits(picture: OpenPicture): Promise<Sharp> {
  const { colours, bits, alpha, extra, profile, failOn } = picture;
  const isLate = profile !== undefined && (colours === 1 || (alpha && bits === 16));
  if (!extra && !isLate && failOn === "error")
    return flattened(decoderOf(picture, profile === undefined ? 8 : bits), picture);
  const { samples, height, width } = await readSamples(picture);
  const channels = (colours + (alpha ? 1 : 0)) as 1 | 2 | 3 | 4;
  return eightBitSrgb(flattened(sharp(samples, { raw: { height, width, channels } }), picture));
}

function flattened(image: Sharp, { alpha }: OpenPicture): Sharp {
  return alpha ? image.flatten({ background: "#ffffff" }) : image;
}

/** Draws an SVG of ours at the wanted shape. @throws Error when the drawing is invalid. */
export async function drawSvg(svg: string, shape: ImageShape): Promise<Uint8Array> {
  return fit(eightBitSrgb(sharp(Buffer.from(svg)).flatten({ background: "#ffffff" })), shape);
}

/** Brings a decoded planar RGB image `[3, height, width]` to another shape, by the same policy as files. */
export async function refit(planar: Uint8Array, from: ImageShape, to: ImageShape): Promise<Uint8Array> {
  const area = from.height * from.width;
  const interleaved = new Uint8Array(3 * area);
  for (let i = 0; i < area; i++) for (let c = 0; c < 3; c++) interleaved[3 * i + c] = planar[c * area + i]!;
  return fit(
    eightBitSrgb(sharp(interleaved, { raw: { channels: 3, height: from.height, width: from.width } })),
    to,
  );
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
    image.resize(shape.width, shape.height, { fit: "cover", position: "centre" }),
  );
  return toPlanar(data, stride, shape);
}

function eightBitSrgb(image: Sharp): Sharp {
  return image.toColourspace("srgb").raw({ depth: "uchar" });
}

async function picture(image: Sharp): Promise<Picture> {
  const { data, info } = await image.toBuffer({ resolveWithObject: true });
  const { height, width, channels } = info;
  const isDeep = data.length === 2 * height * width * channels;
  return { data: isDeep ? highBytes(data) : data, height, width, stride: channels };
}

/** 16 bits cut to 8, as the decoder does. */
function highBytes(data: Buffer): Uint8Array {
  const samples = new Uint16Array(data.buffer, data.byteOffset, data.length / 2);
  return Uint8Array.from(samples, (v) => v >> 8);
}

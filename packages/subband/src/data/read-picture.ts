/**
 * @module The one reader of pictures, to train on and to restore: encoded bytes to samples of their own depth, upright, in
 * sRGB or, where that is asked, in their own profile; or why not, by picture-kinds.ts.
 */
import sharp, { type Sharp } from "sharp";
import { statesAdobeRgb, withAdobeRgb } from "./adobe-rgb.ts";
import { greyToSrgb } from "./grey-curve.ts";
import { profileFit } from "./icc-profile.ts";
import { withMissingEnd } from "./jpeg-header.ts";
import {
  BROKEN,
  EMPTY,
  headerRefusal,
  kindOf,
  type Refusal,
  type SampleKind,
  TOO_MANY_BYTES,
  TOO_MANY_PIXELS,
} from "./picture-kinds.ts";
import { pngHeader } from "./png-header.ts";
import { MAX_FILE_BYTES, MAX_PIXELS } from "./skip-reason.ts";
import { tiffHeader } from "./tiff-header.ts";

/** A picture whose header has been read. */
export interface OpenPicture extends SampleKind {
  /** The encoded bytes, ready for the decoder. */
  readonly bytes: Uint8Array;
  /** How strict the decoder is: missing pixels of a JPEG whose end was added are a warning to it. */
  readonly failOn: "error" | "warning";
  readonly alpha: boolean;
  /** Channels that are no colour and no alpha, and are left out. */
  readonly extra: boolean;
  /** An ICC profile that fits the samples. */
  readonly profile?: Uint8Array;
  /** Why a profile says nothing of the samples, where there is such a one. */
  readonly profileProblem?: "damaged" | "of another colour space" | "damaged or of another colour space";
}

/** Decoded samples of a whole picture. */
export interface Samples {
  readonly height: number;
  readonly width: number;
  /** `[height, width, colours + alpha]`, upright. */
  readonly samples: Uint8Array | Uint16Array;
}

/** Whether reading was refused. */
export function isRefusal(found: object): found is Refusal {
  return "remedy" in found;
}

/** Reads the header of an encoded picture. Never throws for bad pictures. */
export async function openPicture(encoded: Uint8Array): Promise<OpenPicture | Refusal> {
  if (encoded.length === 0) return EMPTY;
  if (encoded.length > MAX_FILE_BYTES) return TOO_MANY_BYTES;
  const refused = headerRefusal(encoded);
  if (refused !== undefined) return refused;
  const whole = withMissingEnd(encoded);
  const bytes = whole ?? encoded;
  try {
    const found = await sharp(bytes, { limitInputPixels: MAX_PIXELS, failOn: "error" }).metadata();
    const kind = kindOf(bytes, found);
    if (isRefusal(kind)) return kind;
    const stated =
      found.format === "jpeg" && found.icc === undefined && kind.colours === 3 && kind.from === undefined
        ? adobeRgbOf(bytes, found.exif)
        : undefined;
    const icc = found.icc ?? stated?.profile;
    // The decoder of PNG passes over a profile that it cannot use.
    const isLost = icc === undefined && found.format === "png" && pngHeader(bytes)?.hasProfile === true;
    const fit = icc === undefined || kind.from !== undefined ? undefined : profileFit(icc, kind.colours);
    const extra = found.format === "tiff" && found.hasAlpha && isNoAlpha(bytes);
    return {
      ...kind,
      bytes: stated?.bytes ?? bytes,
      failOn: whole === undefined ? "error" : "warning",
      alpha: found.hasAlpha && !extra,
      extra,
      ...(isLost && { profileProblem: "damaged or of another colour space" }),
      ...(fit === "fits" ? { profile: icc! } : fit && { profileProblem: fit }),
    };
  } catch (error) {
    return refusalOf(error);
  }
}

/** A JPEG of a camera that states Adobe RGB and embeds no profile, with one. */
function adobeRgbOf(
  bytes: Uint8Array,
  exif: Uint8Array | undefined,
): { readonly bytes: Uint8Array; readonly profile: Uint8Array } | undefined {
  return exif !== undefined && statesAdobeRgb(exif) ? withAdobeRgb(bytes) : undefined;
}

/** Why the decoder failed. */
export function refusalOf(error: unknown): Refusal {
  return /pixel limit/i.test(String(error)) ? TOO_MANY_PIXELS : BROKEN;
}

/** Whether the last channel of a TIFF is said to be no alpha. */
function isNoAlpha(bytes: Uint8Array): boolean {
  return tiffHeader(bytes)?.extra[0] === 0;
}

/**
 * The pipeline that decodes a picture upright to 8 bits, or to its own depth, in sRGB but for what a grey profile says.
 * The decoder converts profiles of 8 bits by itself. Those of 16 it would take to Display P3, which is why they are
 * converted at the end, straight to sRGB.
 */
export function decoderOf(
  { bytes, failOn, colours, bits, profile, from }: OpenPicture,
  depth: 8 | 16,
  keepProfile = false,
): Sharp {
  const converted = profile !== undefined && !keepProfile && colours === 3;
  const atEnd = converted && bits === 16;
  const image = sharp(bytes, {
    limitInputPixels: MAX_PIXELS,
    failOn,
    ignoreIcc: from === undefined && (!converted || atEnd),
  }).autoOrient();
  const space = depth === 16 ? (colours === 1 ? "grey16" : "rgb16") : "srgb";
  const right = atEnd ? image.withIccProfile("srgb", { attach: false }) : image;
  return right.toColourspace(space).raw({ depth: depth === 16 ? "ushort" : "uchar" });
}

/** Decodes a whole picture at its own depth. @throws Error where the decoder fails, see {@link refusalOf}. */
export async function readSamples(picture: OpenPicture, keepProfile = false): Promise<Samples> {
  const { data, info } = await decoderOf(picture, picture.bits, keepProfile).toBuffer({
    resolveWithObject: true,
  });
  const samples =
    picture.bits === 16
      ? new Uint16Array(data.buffer, data.byteOffset, data.length / 2)
      : new Uint8Array(data.buffer, data.byteOffset, data.length);
  const { height, width, channels } = info;
  const found = picked(samples, channels, picture);
  if (picture.colours === 1 && picture.profile !== undefined && !keepProfile)
    mapGrey(found, picture.alpha ? 2 : 1, picture.profile);
  return { height, width, samples: found };
}

/** Takes grey samples, every `stride`-th, to sRGB in place. */
function mapGrey(samples: Uint8Array | Uint16Array, stride: number, profile: Uint8Array): void {
  const table = greyToSrgb(profile, samples instanceof Uint16Array ? 65535 : 255);
  for (let i = 0; i < samples.length; i += stride) samples[i] = table[samples[i]!]!;
}

/** The wanted channels of each pixel: grey may have been decoded as three equal ones, alpha is the last. */
function picked(
  samples: Uint8Array | Uint16Array,
  from: number,
  { colours, alpha }: OpenPicture,
): Uint8Array | Uint16Array {
  const to = colours + (alpha ? 1 : 0);
  if (from === to) return samples;
  const length = (samples.length / from) * to;
  const out = samples instanceof Uint16Array ? new Uint16Array(length) : new Uint8Array(length);
  for (let i = 0, at = 0; i < length; i += to, at += from) {
    for (let c = 0; c < colours; c++) out[i + c] = samples[at + c]!;
    if (alpha) out[i + colours] = samples[at + from - 1]!;
  }
  return out;
}

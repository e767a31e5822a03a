/**
 * @module The table of pictures that are read, whether to train on or to restore, and what is said of all others. What is
 * in the table is tested against other programs, sample by sample (fixtures/make-pictures.py).
 *
 * Everything is read upright by its EXIF orientation, as 8 or 16 bits, and brought to sRGB: by its ICC profile, or from
 * CMYK. Without a profile, samples are sRGB's. Alpha is straight; the premultiplied one of a TIFF is divided out.
 */
import { heifHeader } from "./heif-header.ts";
import { jpegHeader } from "./jpeg-header.ts";
import { pngHeader } from "./png-header.ts";
import { type SkipReason, OVER_BYTES, OVER_PIXELS } from "./skip-reason.ts";
import { type TiffHeader, tiffHeader } from "./tiff-header.ts";

/** Samples as the decoder finds them, and what they are read as. */
export interface SampleKind {
  readonly colours: 1 | 3;
  readonly bits: 8 | 16;
  /** Set where a conversion to sRGB is part of decoding. */
  readonly from?: "CMYK";
}

/** Kinds of samples by the decoder's names of colour space and depth. */
const SAMPLES = {
  "b-w uchar": { colours: 1, bits: 8 },
  "srgb uchar": { colours: 3, bits: 8 },
  "grey16 ushort": { colours: 1, bits: 16 },
  "rgb16 ushort": { colours: 3, bits: 16 },
  "cmyk uchar": { colours: 3, bits: 8, from: "CMYK" },
  "cmyk ushort": { colours: 3, bits: 16, from: "CMYK" },
} as const satisfies Readonly<Record<string, SampleKind>>;

const EIGHT = ["b-w uchar", "srgb uchar"] as const;
const SIXTEEN = ["grey16 ushort", "rgb16 ushort"] as const;

/** What is read of each format. Palettes and 1, 2 and 4 bits are 8 here, 10 and 12 bits of AVIF are 16. */
const ACCEPTED: Readonly<Record<string, readonly (keyof typeof SAMPLES)[]>> = {
  jpeg: [...EIGHT, "cmyk uchar"],
  png: [...EIGHT, ...SIXTEEN],
  webp: EIGHT,
  heif: [...EIGHT, ...SIXTEEN],
  gif: EIGHT,
  tiff: [...EIGHT, ...SIXTEEN, "cmyk uchar", "cmyk ushort"],
};

/** Depths that are not read, by the decoder's names. */
const DEPTHS: Readonly<Record<string, string>> = {
  char: "8-bit signed",
  short: "16-bit signed",
  uint: "32-bit",
  int: "32-bit signed",
  float: "32-bit float",
  double: "64-bit float",
  complex: "64-bit complex",
  dpcomplex: "128-bit complex",
};

/** Formats by the names that people know. */
const READ_FORMATS = "JPEG, PNG, WebP, AVIF, GIF or TIFF";

/** First bytes of formats that are not read, as Latin-1; a dot is any byte. */
const UNREAD: readonly (readonly [format: string, ...signatures: string[]])[] = [
  ["HEIC", "....ftyphei", "....ftyphev"],
  ["JPEG XL", "\xff\n", "....JXL "],
  ["JPEG 2000", "....jP  ", "\xff\x4f\xff\x51"],
  ["BMP", "BM....\0\0\0\0"],
  ["Photoshop", "8BPS"],
  ["an icon", "\0\0\x01\0"],
  ["OpenEXR", "v/1\x01"],
  ["Radiance HDR", "#?R"],
  ["a portable anymap", "P1\n", "P2\n", "P3\n", "P4\n", "P5\n", "P6\n", "P7\n", "PF\n", "Pf\n"],
  ["QOI", "qoif"],
  ["PDF", "%PDF"],
];

/** Why a picture is not read: to count by, and in words. */
export interface Refusal {
  readonly reason: SkipReason;
  /** Last part of the code of an error. */
  readonly code: string;
  /** Goes on from the picture's name: `is animated`. */
  readonly what: string;
  readonly remedy: string;
}

const refusal = (reason: SkipReason, code: string, what: string, remedy: string): Refusal => ({
  ...{ reason, code, what, remedy },
});

export const BROKEN: Refusal = refusal(
  "corrupt or truncated",
  "broken",
  "is not a picture, or a broken one",
  "Restore a copy or leave it out.",
);
export const EMPTY: Refusal = refusal(
  "empty file",
  "broken",
  "is an empty file",
  "Restore a copy or leave it out.",
);
export const TOO_MANY_BYTES: Refusal = refusal(
  OVER_BYTES,
  "size",
  `is ${OVER_BYTES}`,
  "Save it in another format, or cut it into pieces.",
);
export const TOO_MANY_PIXELS: Refusal = refusal(
  OVER_PIXELS,
  "size",
  `is ${OVER_PIXELS}`,
  "Cut it into pieces.",
);
export const ANIMATED: Refusal = refusal(
  "animated",
  "animated",
  "is animated",
  "Extract the frames and give their folder.",
);
const PAGES: Refusal = refusal(
  "several pages",
  "pages",
  "has several pages",
  "Save the one you mean as a file of its own.",
);
const samples = (kind: string): Refusal =>
  refusal(
    `${kind} samples`,
    "depth",
    `has ${kind} samples`,
    "Save it with 8 or 16 bits a sample, whole numbers from 0 on.",
  );
const unread = (format: string): Refusal =>
  refusal("format not supported", "format", `is ${format}, which is not read`, `Save it as ${READ_FORMATS}.`);
const CONVERT = "Convert it to sRGB, or embed its profile.";
const LAB: Refusal = refusal("CIE Lab", "colour", "is in CIE Lab", "Convert it to sRGB.");
const PREMULTIPLIED: Refusal = refusal(
  "premultiplied alpha",
  "alpha",
  "has colours multiplied by alpha",
  "Save it with straight alpha.",
);
const HDR: Refusal = refusal("HDR", "colour", "is in high dynamic range (PQ or HLG)", "Save it as sRGB.");
const PRIMARIES: Refusal = refusal(
  "other primaries without a profile",
  "colour",
  "has other primaries than sRGB and no profile",
  CONVERT,
);
const GAMMA: Refusal = refusal(
  "other gamma without a profile",
  "colour",
  "has another gamma than sRGB and no profile",
  CONVERT,
);

/** What the decoder says of a file. */
export interface Found {
  readonly format: string;
  readonly space: string;
  readonly depth: string;
  readonly channels: number;
  readonly pages?: number | undefined;
}

/** How the samples that the decoder finds are read, or why not. */
export function kindOf(
  bytes: Uint8Array,
  { format, space, depth, channels, pages = 1 }: Found,
): SampleKind | Refusal {
  const accepted = ACCEPTED[format];
  if (accepted === undefined) return unread(format);
  if (pages > 1) {
    if (format === "gif" || format === "webp")
      return { ...ANIMATED, what: `is animated and has ${pages} frames` };
    const tiff = tiffHeader(bytes);
    if (tiff?.pages !== 1 || !tiff.isFirst) return PAGES;
  }
  const key = `${space} ${depth}`;
  const kind = accepted.find((each) => each === key);
  if (kind === undefined) {
    const words = DEPTHS[depth];
    return words === undefined ? unread(`${format.toUpperCase()} in ${space}`) : samples(words);
  }
  const read: SampleKind = SAMPLES[kind];
  const most = read.from === "CMYK" ? 4 : read.colours + 1;
  return channels > most
    ? refusal(
        `${channels} channels`,
        "channels",
        `has ${channels} channels`,
        "Save it without the extra ones.",
      )
    : read;
}

/** Why a file is not read, as far as its header tells more than the decoder does. */
export function headerRefusal(bytes: Uint8Array): Refusal | undefined {
  const begins = (signature: string): boolean =>
    [...signature].every((each, i) => each === "." || each.charCodeAt(0) === bytes[i]);
  const known = UNREAD.find(([, ...signatures]) => signatures.some(begins));
  if (known !== undefined) return unread(known[0]);
  const jpeg = jpegHeader(bytes);
  if (jpeg !== undefined) {
    if (jpeg.precision === 8) return undefined;
    return jpeg.precision === 12 || jpeg.precision === 16 ? samples(`${jpeg.precision}-bit`) : BROKEN;
  }
  const png = pngHeader(bytes);
  if (png !== undefined) {
    if (png.frames > 1) return { ...ANIMATED, what: `is animated and has ${png.frames} frames` };
    if (png.codes !== undefined) return codesRefusal(png.codes);
    if (png.hasProfile || png.isSrgb) return undefined;
    if (png.gamma !== undefined && Math.abs(png.gamma - 1 / 2.2) > 0.02) return GAMMA;
    return png.chromaticities?.some((v, i) => Math.abs(v - SRGB_CHROMATICITIES[i]!) > 0.01) === true
      ? PRIMARIES
      : undefined;
  }
  const tiff = tiffHeader(bytes);
  if (tiff !== undefined) return tiffRefusal(tiff);
  const heif = heifHeader(bytes);
  if (heif?.isSequence === true) return ANIMATED;
  if (heif?.isPremultiplied === true) return PREMULTIPLIED;
  return heif?.codes !== undefined && !heif.hasProfile ? codesRefusal(heif.codes) : undefined;
}

/** White, red, green, blue: x and y of each. */
const SRGB_CHROMATICITIES: readonly number[] = [0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06];

/**
 * Code points of H.273. Taken for sRGB: its own (1, 13), what nobody states (2), and those of standard video, whose
 * primaries (5 to 7) and transfer (1, 6, 14, 15) are near to it and written by encoders that mean sRGB.
 */
function codesRefusal({ primaries, transfer }: { primaries: number; transfer: number }): Refusal | undefined {
  if (transfer === 16 || transfer === 18) return HDR;
  if (![1, 2, 5, 6, 7].includes(primaries)) return PRIMARIES;
  return [1, 2, 6, 13, 14, 15].includes(transfer) ? undefined : GAMMA;
}

function tiffRefusal({ bits, format, photometric }: TiffHeader): Refusal | undefined {
  if (bits < 1 || bits > 128) return BROKEN;
  if (photometric >= 8 && photometric <= 10) return LAB;
  if (photometric > 6)
    return {
      ...unread(`a TIFF of photometric interpretation ${photometric}`),
      remedy: "Save it as RGB or grey.",
    };
  const forms = ["", "", "signed ", "float ", "untyped ", "complex ", "complex "];
  if (format !== 1 && format !== 4) return samples(`${bits}-bit ${forms[format] ?? ""}`.trim());
  return [1, 2, 4, 8, 16].includes(bits) ? undefined : samples(`${bits}-bit`);
}

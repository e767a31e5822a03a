/** @module What the chunks before a PNG's pixels say of frames and colours (PNG, third edition, section 11). */

/** Frames and colours of a PNG. */
export interface PngHeader {
  /** More than 1 of an animated PNG. */
  readonly frames: number;
  /** Code points of ITU-T H.273, of chunk cICP. */
  readonly codes?: { readonly primaries: number; readonly transfer: number };
  /** Whether there is a profile, and the statement that it is sRGB: either is above gamma and chromaticities. */
  readonly hasProfile: boolean;
  readonly isSrgb: boolean;
  /** The exponent of chunk gAMA: 1 is linear, 0.45 that of sRGB. */
  readonly gamma?: number;
  /** Chromaticities of chunk cHRM: white, red, green, blue, x and y of each. */
  readonly chromaticities?: readonly number[];
}

/** More chunks than this before the pixels are not looked at. */
const MOST_CHUNKS = 10_000;

const SIGNATURE = "\x89PNG\r\n\x1a\n";

/** Reads the chunks before the pixels; undefined of what is no PNG. */
export function pngHeader(bytes: Uint8Array): PngHeader | undefined {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  if (text.toString("latin1", 0, 8) !== SIGNATURE) return undefined;
  const found: { -readonly [K in keyof PngHeader]: PngHeader[K] } = {
    frames: 1,
    hasProfile: false,
    isSrgb: false,
  };
  for (let at = 8, chunks = 0; at + 12 <= text.length && chunks < MOST_CHUNKS; chunks++) {
    const length = text.readUInt32BE(at);
    const type = text.toString("latin1", at + 4, at + 8);
    if (type === "IDAT" || type === "IEND" || at + 12 + length > text.length) break;
    const numbers = (): number[] =>
      Array.from({ length: length >> 2 }, (_, i) => text.readUInt32BE(at + 8 + 4 * i));
    if (type === "acTL" && length >= 8) found.frames = numbers()[0]!;
    else if (type === "cICP" && length >= 4)
      found.codes = { primaries: text[at + 8]!, transfer: text[at + 9]! };
    else if (type === "iCCP") found.hasProfile = true;
    else if (type === "sRGB") found.isSrgb = true;
    else if (type === "gAMA" && length === 4) found.gamma = numbers()[0]! / 1e5;
    else if (type === "cHRM" && length === 32) found.chromaticities = numbers().map((v) => v / 1e5);
    at += 12 + length;
  }
  return found;
}

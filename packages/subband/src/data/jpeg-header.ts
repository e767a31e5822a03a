/** @module What the markers of a JPEG say of its samples and its end (ITU-T T.81, annex B). */

/** Samples of a JPEG, and where its pixels begin. */
export interface JpegHeader {
  /** Bits of a sample. */
  readonly precision: number;
  /** Offset of the first scan. */
  readonly scan: number;
}

/** Markers that begin a frame; C4, C8 and CC are others. */
const isFrame = (marker: number): boolean =>
  marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);

/** Reads the markers before the first scan; undefined of what is no JPEG, or ends before. */
export function jpegHeader(bytes: Uint8Array): JpegHeader | undefined {
  if (bytes[0] !== 0xff || bytes[1] !== 0xd8) return undefined;
  let precision: number | undefined;
  for (let at = 2; at + 4 < bytes.length && bytes[at] === 0xff;) {
    const marker = bytes[at + 1]!;
    if (marker === 0xda) return precision === undefined ? undefined : { precision, scan: at };
    if (isFrame(marker)) precision = bytes[at + 4]!;
    if (marker === 0xff)
      at++; // fill
    else at += 2 + (bytes[at + 2]! << 8) + bytes[at + 3]!;
  }
  return undefined;
}

const END = Uint8Array.of(0xff, 0xd9);

/**
 * A JPEG without the marker at its end, with it: what lacks nothing else has lost no pixel, and a decoder that is strict
 * finds out what has. Undefined of all others; junk behind an end is none of our business. In a scan FF is never followed
 * by D9, and what comes before it, a thumbnail for instance, is not looked at.
 */
export function withMissingEnd(bytes: Uint8Array): Uint8Array | undefined {
  const n = bytes.length;
  if (bytes[n - 2] === 0xff && bytes[n - 1] === 0xd9) return undefined;
  const header = jpegHeader(bytes);
  if (header === undefined) return undefined;
  const file = Buffer.from(bytes.buffer, bytes.byteOffset, n);
  return file.lastIndexOf(END) > header.scan ? undefined : Buffer.concat([file, END]);
}

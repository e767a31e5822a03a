/** @module Pictures brought into one colour space, so that equal samples are equal colours. */
import sharp from "sharp";
import { blankLike, type Picture, readPicture, strideOf } from "./picture.ts";
import { withProfile } from "./png-profile.ts";

/** Bytes of samples that are converted at once; bounds the memory. */
const BYTES_AT_ONCE = 32e6;

/** The pictures as they are where all have the same profile, byte by byte, or none; else each one in sRGB. */
export async function inOneSpace(pictures: readonly Picture[]): Promise<readonly Picture[]> {
  const profiles = pictures.map(({ profile }) => profile);
  if (profiles.every((each) => sameBytes(each, profiles[0]))) return pictures;
  const converted: Picture[] = [];
  for (const picture of pictures) converted.push(await inSrgb(picture));
  return converted;
}

/** The picture in sRGB, at its depth; itself where it has no profile. */
export async function inSrgb(picture: Picture, bytesAtOnce: number = BYTES_AT_ONCE): Promise<Picture> {
  const { profile, height, width, samples, notes } = picture;
  if (profile === undefined) return picture;
  const row = width * strideOf(picture);
  const rowsAtOnce = Math.max(1, Math.floor(bytesAtOnce / (row * samples.BYTES_PER_ELEMENT)));
  let result: Picture | undefined;
  for (let y = 0; y < height; y += rowsAtOnce) {
    const rows = Math.min(rowsAtOnce, height - y);
    const part = await rowsInSrgb(picture, profile, y, rows);
    result ??= { ...part, height, notes, samples: blankLike(part.samples, height * width * strideOf(part)) };
    result.samples.set(part.samples, y * width * strideOf(part));
  }
  return result!;
}

/** Rows as a small file of their own, read as any other. */
async function rowsInSrgb(
  picture: Picture,
  profile: Uint8Array,
  y: number,
  height: number,
): Promise<Picture> {
  const { width, colours, samples } = picture;
  const deep = samples instanceof Uint16Array;
  const channels = strideOf(picture) as 1 | 2 | 3 | 4;
  const row = width * channels;
  const png = await sharp(samples.subarray(y * row, (y + height) * row), { raw: { height, width, channels } })
    .toColourspace(colours === 1 ? (deep ? "grey16" : "b-w") : deep ? "rgb16" : "srgb")
    .png({ compressionLevel: 0 })
    .toBuffer();
  return readPicture({ name: "picture.png", bytes: withProfile(png, profile) }, false);
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || Buffer.from(a.buffer, a.byteOffset, a.length).equals(b);
}

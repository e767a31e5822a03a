/** @module Pictures brought into one colour space, so that equal samples are equal colours. */
import sharp from "sharp";
import { type Picture, readPicture, strideOf } from "./picture.ts";
import { withProfile } from "./png-profile.ts";

/** The pictures as they are where all have the same profile, byte by byte, or none; else each one in sRGB. */
export async function inOneSpace(pictures: readonly Picture[]): Promise<readonly Picture[]> {
  const profiles = pictures.map(({ profile }) => profile);
  return profiles.every((each) => sameBytes(each, profiles[0]))
    ? pictures
    : Promise.all(pictures.map(inSrgb));
}

/** The picture in sRGB, at its depth; itself where it has no profile. */
export async function inSrgb(picture: Picture): Promise<Picture> {
  const { profile, height, width, colours, samples, notes } = picture;
  if (profile === undefined) return picture;
  const deep = samples instanceof Uint16Array;
  const png = await sharp(samples, { raw: { height, width, channels: strideOf(picture) as 1 | 2 | 3 | 4 } })
    .toColourspace(colours === 1 ? (deep ? "grey16" : "b-w") : deep ? "rgb16" : "srgb")
    .png({ compressionLevel: 0 })
    .toBuffer();
  const converted = await readPicture({ name: "picture.png", bytes: withProfile(png, profile) }, false);
  return { ...converted, notes };
}

function sameBytes(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  if (a === undefined || b === undefined) return a === b;
  return a === b || Buffer.from(a.buffer, a.byteOffset, a.length).equals(b);
}

/** @module Fuzzed pictures of every format, read for training and for restoring. */
import { readFile } from "node:fs/promises";
import { crc32 } from "node:zlib";
import sharp, { type Sharp } from "sharp";
import { decodeImage } from "../../packages/subband/src/data/decode-image.ts";
import { readPicture } from "../../packages/subband/src/restoration/picture.ts";
import { EDGES, pick } from "./mutations.ts";
import type { Mutation, Target } from "./target.ts";

/** Changes the content of a chunk of a PNG, leaves it out or doubles it, and keeps its checksum true. */
const lieInPng: Mutation = (bytes, random) => {
  const chunks: Buffer[] = [];
  for (let at = 8; at + 12 <= bytes.length;) {
    const end = at + 12 + bytes.readUInt32BE(at);
    chunks.push(Buffer.from(bytes.subarray(at, end)));
    at = end;
  }
  if (chunks.length === 0) return Buffer.from(bytes);
  const i = random.below(chunks.length);
  const chunk = chunks[i]!;
  const way = random.below(4);
  if (way === 0) chunks.splice(i, 1);
  else if (way === 1) chunks.splice(i, 0, chunk);
  else if (chunk.length > 12) {
    const at = 8 + random.below(chunk.length - 12);
    if (way === 2 || at + 8 > chunk.length) chunk[at]! ^= 1 << random.below(8);
    else chunk.writeInt32BE(pick(EDGES, random) | 0, at);
    chunk.writeUInt32BE(crc32(chunk.subarray(4, -4)), chunk.length - 4);
  }
  return Buffer.concat([bytes.subarray(0, 8), ...chunks]);
};

/** Writes another type, count or value into an entry of a TIFF's first directory. */
const lieInTiff: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  if (copy.length < 8 || copy.toString("latin1", 0, 2) !== "II") return copy;
  const directory = copy.readUInt32LE(4);
  if (directory + 2 > copy.length) return copy;
  const at = directory + 2 + 12 * random.below(Math.max(1, copy.readUInt16LE(directory)));
  if (at + 12 > copy.length) return copy;
  if (random.below(3) === 0) copy.writeUInt16LE(random.below(17), at + 2);
  else copy.writeInt32LE(pick(EDGES, random) | 0, at + pick([4, 8], random));
  return copy;
};

/** Target of `npm run fuzz -- --only pictures`. */
export const target: Target = {
  name: "pictures",
  about:
    "PNG, JPEG, WebP, TIFF, GIF and AVIF of 8 and 16 bits, with alpha, profiles and EXIF, decoded as training and `denoise` do",
  mutations: [lieInPng, lieInTiff],
  seconds: 30,
  // Pictures of 128 megapixels are let through, however small the file, and a decoder copies them.
  megabytes: 3000,
  async seeds() {
    const [width, height] = [24, 16];
    const ramp = (channels: number): Buffer =>
      Buffer.from(Array.from({ length: width * height * channels }, (_, i) => (i * 7) % 256));
    const of = (channels: 1 | 2 | 3 | 4): Sharp =>
      sharp(ramp(channels), { raw: { width, height, channels } });
    const deep = (): Sharp =>
      sharp(Buffer.from(ramp(3)), { raw: { width, height, channels: 3 } }).toColourspace("rgb16");
    return Promise.all(
      Object.entries({
        "rgb.png": of(3).png(),
        "rgba.png": of(4).png(),
        "gray.png": of(1).toColourspace("b-w").png(),
        "deep.png": deep().png(),
        "profile.png": of(3).withIccProfile("p3").png(),
        "palette.png": of(3).png({ palette: true }),
        "rgb.jpg": of(3).jpeg(),
        "turned.jpg": of(3).withMetadata({ orientation: 6 }).jpeg(),
        "cmyk.jpg": of(3).toColourspace("cmyk").jpeg(),
        "rgb.webp": of(3).webp(),
        "alpha.webp": of(4).webp({ lossless: true }),
        "plain.tif": of(3).tiff({ compression: "none" }),
        "lzw.tif": of(4).tiff({ compression: "lzw" }),
        "deflate.tif": deep().tiff({ compression: "deflate" }),
        "tiled.tif": of(3).tiff({ compression: "jpeg", tile: true, tileWidth: 16, tileHeight: 16 }),
        "rgb.gif": of(3).gif(),
        "rgb.avif": of(3).avif({ effort: 0 }),
      }).map(async ([name, image]) => ({ name, bytes: await image.toBuffer() })),
    );
  },
  async read(path) {
    const trained = await decodeImage(await readFile(path), { channels: 3, height: 8, width: 8 });
    const { height, width } = await readPicture(path, true);
    if (typeof trained === "string") return `restored, not trained on: ${trained}`;
    return height * width > 0 ? "read" : "empty";
  },
};

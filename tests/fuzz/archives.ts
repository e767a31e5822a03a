/** @module Fuzzed archives: zips and tars of small pictures, opened as a data set. */
import { rm } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { openDataset } from "../../packages/subband/src/data/open-dataset.ts";
import sharp from "sharp";
import { tarOf, zipOf, type ZipPart } from "../support/archives.ts";
import { EDGES, pick } from "./mutations.ts";
import type { Mutation, Target } from "./target.ts";

/** Fields of a zip's records from their signature on: [offset, bytes]. */
const ZIP_FIELDS: Readonly<Record<number, readonly (readonly [number, number])[]>> = {
  // Local header: flags, method, CRC-32, sizes, lengths.
  0x04034b50: [
    [6, 2],
    [8, 2],
    [14, 4],
    [18, 4],
    [22, 4],
    [26, 2],
    [28, 2],
  ],
  // Directory: host, flags, method, CRC-32, sizes, lengths, attributes, offset.
  0x02014b50: [
    [5, 1],
    [8, 2],
    [10, 2],
    [16, 4],
    [20, 4],
    [24, 4],
    [28, 2],
    [30, 2],
    [32, 2],
    [38, 4],
    [42, 4],
  ],
  // End: counts, size, offset, comment.
  0x06054b50: [
    [8, 2],
    [10, 2],
    [12, 4],
    [16, 4],
    [20, 2],
  ],
  // Zip64 end, and its locator.
  0x06064b50: [
    [24, 8],
    [32, 8],
    [40, 8],
    [48, 8],
  ],
  0x07064b50: [[8, 8]],
};

/** Writes an edge, or a number a little off, into a field of a record. */
const lieInZip: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  const records: [number, number][] = [];
  for (let at = 0; at + 4 <= copy.length; at++)
    for (const signature of Object.keys(ZIP_FIELDS))
      if (copy.readUInt32LE(at) === Number(signature)) records.push([at, Number(signature)]);
  if (records.length === 0) return copy;
  const [at, signature] = pick(records, random);
  const [offset, width] = pick(ZIP_FIELDS[signature]!, random);
  if (at + offset + width > copy.length) return copy;
  const number = Buffer.alloc(8);
  const old = copy.readUIntLE(at + offset, Math.min(width, 6));
  const lie = random.below(2) === 0 ? pick(EDGES, random) : old + pick([-30, -1, 1, 4, 46, 300], random);
  number.writeBigInt64LE(BigInt(lie));
  number.copy(copy, at + offset, 0, width);
  return copy;
};

/** Writes another size or type into a header of a tar, and its checksum. */
const lieInTar: Mutation = (bytes, random) => {
  const copy = Buffer.from(bytes);
  const headers = [];
  for (let at = 0; at + 512 <= copy.length; at += 512)
    if (copy.toString("latin1", at + 257, at + 262) === "ustar") headers.push(copy.subarray(at, at + 512));
  if (headers.length === 0) return copy;
  const header = pick(headers, random);
  const way = random.below(3);
  if (way === 0)
    header.write(
      pick(["00000000000", "00000000001", "77777777777", "zzzzzzzzzzz", "0000000200 "], random),
      124,
    );
  else if (way === 1) {
    header.fill(0, 124, 136);
    header[124] = pick([0x80, 0xff], random);
    header.writeUInt32BE(
      pick(
        EDGES.filter((n) => n >= 0),
        random,
      ),
      132,
    );
  } else
    header.write(
      pick(["0", "1", "2", "3", "5", "6", "7", "x", "g", "L", "K", "S", "\0", "\xff"], random),
      156,
      "latin1",
    );
  header.fill(" ", 148, 156);
  header.write(
    `${header
      .reduce((sum, byte) => sum + byte, 0)
      .toString(8)
      .padStart(6, "0")}\0 `,
    148,
  );
  return copy;
};

const gzipped: Mutation = (bytes) => gzipSync(bytes);

/** Target of `npm run fuzz -- --only archives`. */
export const target: Target = {
  name: "archives",
  about: "zip, tar and tar.gz of pictures, opened as a data set",
  mutations: [lieInZip, lieInZip, lieInTar, gzipped],
  seconds: 30,
  megabytes: 700,
  async seeds() {
    const picture = async (red: number): Promise<Buffer> =>
      sharp({ create: { width: 8, height: 8, channels: 3, background: { r: red, g: 9, b: 90 } } })
        .png()
        .toBuffer();
    const parts: ZipPart[] = [];
    for (let i = 0; i < 6; i++)
      parts.push({
        name: `${i}.png`,
        data: await picture(40 * i),
        deflate: i % 2 === 0,
        descriptor: i === 4,
      });
    parts.push({ name: "notes.txt", data: Buffer.from("notes"), deflate: true });
    const tar = await tarOf([
      ...parts.map(({ name, data }) => [{ name: String(name) }, data] as const),
      [{ name: `${"deep/".repeat(40)}long.png` }, await picture(7)],
      [{ name: "link.png", type: "symlink", linkname: "0.png" }, Buffer.alloc(0)],
    ]);
    return [
      { name: "plain.zip", bytes: zipOf(parts) },
      {
        name: "wide.zip",
        bytes: zipOf(
          parts.map((part) => ({ ...part, wide: true })),
          { wide: true },
        ),
      },
      {
        name: "comment.zip",
        bytes: zipOf(parts.slice(0, 2), { comment: Buffer.from("a comment"), before: Buffer.from("#!") }),
      },
      { name: "plain.tar", bytes: tar },
      { name: "plain.tar.gz", bytes: gzipSync(tar) },
    ];
  },
  async read(path) {
    try {
      const size = { height: 8, width: 8 };
      const { count } = await openDataset(path, { size, cacheDir: "cache" });
      return `read ${count}`;
    } finally {
      await rm("cache", { recursive: true, force: true });
    }
  },
};

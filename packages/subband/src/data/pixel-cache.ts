/**
 * @module The decoded data set on disk: one file, written whole or not at all, verified when opened. Layout: 8 bytes of
 * magic, header length (uint32, little-endian), JSON header, pixels `[n, c, h, w]`, labels `[n]` if any.
 */
import { createHash, randomUUID } from "node:crypto";
import { mkdir, open, rename, rm, stat, type FileHandle } from "node:fs/promises";
import { dirname, join } from "node:path";
import envPaths from "env-paths";
import { inSlices } from "onnxgrad";
import * as z from "zod";
import type { DatasetContents } from "./dataset.ts";
import { readExactly } from "./read-exactly.ts";

const MAGIC = "subband2";
const PREFIX_BYTES = MAGIC.length + 4;
const MAX_HEADER_BYTES = 1 << 24;
/** Writes go in pieces: one call takes less than 2 GiB. */
const PIECE_BYTES = 1 << 26;
/** Bytes that are added to the fingerprint at a time: some milliseconds' worth. */
const SUMMED_BYTES = 1 << 22;

const Header = z.object({
  name: z.string(),
  count: z.int().positive(),
  channels: z.union([z.literal(1), z.literal(3)]),
  height: z.int().positive(),
  width: z.int().positive(),
  labelled: z.boolean(),
  licence: z.string(),
  credit: z.string(),
  skipped: z.record(z.string(), z.int()),
  skippedNames: z.record(z.string(), z.array(z.string())).optional(),
  /** Which picture how many images in a row were cut from. */
  cuts: z.array(z.tuple([z.int().nonnegative(), z.int().positive()])).optional(),
  fingerprint: z.string(),
});

/** Where decoded data sets are kept: `$SUBBAND_CACHE`, or the user's cache folder of the system. */
export function cacheFolder(): string {
  const chosen = process.env["SUBBAND_CACHE"];
  return chosen !== undefined && chosen !== "" ? chosen : envPaths("subband", { suffix: "" }).cache;
}

/** Path of the cache file for what `identity` (plain JSON: sources, sizes, times, options) describes. */
export function cachePath(folder: string, name: string, identity: unknown): string {
  const key = createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 24);
  return join(folder, `${name.replaceAll(/[^\w.-]+/g, "_").slice(0, 60)}-${key}.pixels`);
}

/** SHA-256 of pixels, then labels, hex; in pieces. */
export function* fingerprinting(pixels: Uint8Array, labels: Uint8Array | undefined): Generator<void, string> {
  const hash = createHash("sha256");
  for (const part of [pixels, labels ?? new Uint8Array()])
    for (let at = 0; at < part.length; at += SUMMED_BYTES) {
      hash.update(part.subarray(at, at + SUMMED_BYTES));
      yield;
    }
  return hash.digest("hex");
}

/** Reads a cache file; undefined when there is none, or it is torn, altered or of another layout. */
export async function readCache(path: string): Promise<DatasetContents | undefined> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return undefined;
  try {
    return await readVerified(file);
  } catch {
    return undefined;
  } finally {
    await file.close();
  }
}

async function readVerified(file: FileHandle): Promise<DatasetContents | undefined> {
  const { size } = await file.stat();
  if (size < PREFIX_BYTES) return undefined;
  const prefix = await readExactly(file, 0, PREFIX_BYTES);
  const headerBytes = prefix.readUInt32LE(MAGIC.length);
  if (prefix.toString("latin1", 0, MAGIC.length) !== MAGIC) return undefined;
  if (headerBytes > MAX_HEADER_BYTES || PREFIX_BYTES + headerBytes > size) return undefined;
  const text = (await readExactly(file, PREFIX_BYTES, headerBytes)).toString("utf8");
  const { count, labelled, cuts, skippedNames, ...header } = Header.parse(JSON.parse(text));

  const pixelBytes = count * header.channels * header.height * header.width;
  const start = PREFIX_BYTES + headerBytes;
  if (size !== start + pixelBytes + (labelled ? count : 0)) return undefined;
  const pixels = plain(await readExactly(file, start, pixelBytes));
  const labels = labelled ? plain(await readExactly(file, start + pixelBytes, count)) : undefined;
  if ((await inSlices(fingerprinting(pixels, labels))) !== header.fingerprint) return undefined;
  const pictures = cuts && Uint32Array.from(cuts.flatMap(([picture, n]) => Array<number>(n).fill(picture)));
  if (pictures !== undefined && pictures.length !== count) return undefined;
  return {
    ...header,
    ...(skippedNames && { skippedNames }),
    pixels,
    ...(labels && { labels }),
    ...(pictures && { pictures }),
  };
}

/** Writes a cache file: a temporary file beside it, synced, then renamed over. @throws the file system's error. */
export async function writeCache(path: string, contents: DatasetContents): Promise<void> {
  const { pixels, labels, pictures, ...rest } = contents;
  const count = pixels.length / (rest.channels * rest.height * rest.width);
  const header = Buffer.from(
    JSON.stringify({ ...rest, count, labelled: labels !== undefined, cuts: cutsOf(pictures) }),
  );
  const prefix = Buffer.alloc(PREFIX_BYTES);
  prefix.write(MAGIC, "latin1");
  prefix.writeUInt32LE(header.length, MAGIC.length);

  await makeFolder(dirname(path));
  const temporary = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(temporary, "wx");
    try {
      for (const part of [prefix, header, pixels, labels ?? new Uint8Array()]) await writeExactly(file, part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
}

/** Step by step: Node's own recursive mkdir never returns in folders such as /proc, which refuse names as if missing. */
async function makeFolder(path: string): Promise<void> {
  const there = await stat(path).catch(() => undefined);
  if (there !== undefined) return;
  if (dirname(path) !== path) await makeFolder(dirname(path));
  await mkdir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== "EEXIST") throw error; // another process was quicker
  });
}

/** The same memory as a plain array, whose `slice` copies. */
function plain({ buffer, byteOffset, length }: Buffer): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

async function writeExactly(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const { bytesWritten } = await file.write(bytes, at, Math.min(PIECE_BYTES, bytes.length - at));
    at += bytesWritten;
  }
}

/** Neighbours of the same picture, counted. */
function cutsOf(pictures: Uint32Array | undefined): [picture: number, images: number][] | undefined {
  if (pictures === undefined) return undefined;
  const cuts: [number, number][] = [];
  for (const picture of pictures) {
    const last = cuts.at(-1);
    if (last?.[0] === picture) last[1]++;
    else cuts.push([picture, 1]);
  }
  return cuts;
}

/**
 * @module Images inside a zip, tar or tar.gz. Nothing is ever extracted to disk, so names are only names; sizes and
 * counts are bounded, and an entry that cannot be read is a reason to skip it, not to stop.
 */
import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
import { extract, type Header } from "tar-stream";
import { openPromise } from "yauzl";
import { UserError } from "onnxgrad";
import { MAX_FILE_BYTES, OVER_BYTES, type SkipReason } from "./decode-image.ts";
import { classifyName, type ImageFile, reasonOf } from "./image-folder.ts";

export type ArchiveKind = "zip" | "tar" | "tar.gz";

/** More entries than this and the archive is refused: no image set that fits in memory has as many. */
export const MAX_ENTRIES = 4e6;

/** One entry of a tar: read it to its end, or `resume()` to pass over it. */
export interface TarEntry extends AsyncIterable<unknown> {
  readonly header: Header;
  resume(): void;
}

/** Tells an archive by its first bytes, whatever its name; undefined when it is none. */
export async function archiveKind(path: string): Promise<ArchiveKind | undefined> {
  const file = await open(path);
  try {
    const head = new Uint8Array(512);
    await file.read(head, 0, head.length, 0);
    const text = Buffer.from(head).toString("latin1");
    if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return "zip";
    if (text.startsWith("\x1f\x8b")) return "tar.gz";
    if (text.slice(257, 262) === "ustar") return "tar";
    return undefined;
  } finally {
    await file.close();
  }
}

/**
 * The entries of an archive in stored order; entries which are no images by name yield their reason to skip from
 * `read()`. A damaged archive ends with one entry `archive damaged`, after all that could be read.
 * @throws UserError `data/archive-too-large` over {@link MAX_ENTRIES} entries.
 */
export async function* archiveImages(path: string, kind: ArchiveKind): AsyncGenerator<ImageFile> {
  let entries = 0;
  try {
    for await (const file of kind === "zip" ? zipImages(path) : tarImages(path, kind)) {
      if (++entries > MAX_ENTRIES)
        throw new UserError(
          "data/archive-too-large",
          `archive with too many entries: "${path}" has over ${MAX_ENTRIES}; split it.`,
        );
      if (classifyName(file.name) !== "litter") yield file;
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    yield skip("", "archive damaged");
  }
}

async function* zipImages(path: string): AsyncGenerator<ImageFile> {
  // Names are decoded by us: yauzl would refuse the whole archive over one absolute or `..` name.
  const zip = await openPromise(path, { lazyEntries: true, autoClose: false, decodeStrings: false });
  try {
    for await (const entry of zip.eachEntry()) {
      const name = Buffer.from(entry.fileName).toString("utf8");
      if (name.endsWith("/")) continue;
      const kind = classifyName(name);
      if (kind !== "image") yield skip(name, reasonOf(kind));
      else if (entry.isEncrypted()) yield skip(name, "encrypted");
      else if (!entry.canDecodeFileData()) yield skip(name, "format not supported");
      else if (entry.uncompressedSize > MAX_FILE_BYTES) yield skip(name, OVER_BYTES);
      else {
        // Started here, while the archive is certainly open; whoever pulls entries bounds how many are in flight.
        const bytes = zip
          .openReadStreamPromise(entry)
          .then(readAll)
          .catch((): SkipReason => "corrupt or truncated");
        yield { name, read: () => bytes };
      }
    }
  } finally {
    // The file itself stays open until the last read in flight has ended.
    zip.close();
  }
}

async function* tarImages(path: string, kind: ArchiveKind): AsyncGenerator<ImageFile> {
  for await (const entry of tarEntries(path, kind === "tar.gz")) {
    const { name, type, size = 0 } = entry.header;
    const kind = classifyName(name);
    const image = kind === "image";
    if (type !== "file" && type !== "contiguous-file") entry.resume();
    else if (image && size <= MAX_FILE_BYTES) {
      const bytes = await readAll(entry);
      yield { name, read: async () => bytes };
    } else {
      entry.resume();
      yield skip(name, image ? OVER_BYTES : reasonOf(kind));
    }
  }
}

/** The entries of a tar in stored order; each must be read or resumed before the next comes. */
export async function* tarEntries(path: string, gzipped: boolean): AsyncGenerator<TarEntry> {
  const entries = extract();
  const source = createReadStream(path);
  const flow = gzipped ? pipeline(source, createGunzip(), entries) : pipeline(source, entries);
  flow.catch(() => undefined); // the failure is thrown by the loop below, or the reader went away
  try {
    for await (const entry of entries) yield entry;
    await flow;
  } finally {
    source.destroy();
  }
}

/** The whole of a stream of bytes. */
export async function readAll(stream: AsyncIterable<unknown>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream) chunks.push(chunk as Uint8Array);
  return Buffer.concat(chunks);
}

function skip(name: string, reason: SkipReason): ImageFile {
  return { name, read: async () => reason };
}

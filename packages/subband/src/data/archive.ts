/**
 * @module Images inside a zip, tar or tar.gz. Nothing is ever extracted to disk, so names are only names; sizes, counts
 * and the bytes in memory are bounded, and an entry that cannot be read is a reason to skip it, not to stop.
 */
import { open } from "node:fs/promises";
import { UserError } from "onnxgrad/errors";
import { byteBudget, type ByteBudget } from "./byte-budget.ts";
import { MAX_FILE_BYTES, OVER_BYTES, type SkipReason } from "./skip-reason.ts";
import { classifyName, type ImageFile, MAX_IN_FLIGHT, reasonOf } from "./image-folder.ts";
import { FREE_ENTRY_BYTES, MAX_RATIO, readTarEntry, tarEntries, type TarEntry } from "./tar-entries.ts";
import { hasZipEnd, readZipDirectory, type ZipEntry } from "./zip-directory.ts";
import { readZipEntry } from "./zip-entry.ts";

export type ArchiveKind = "zip" | "tar" | "tar.gz";

/** More entries than this and the archive is refused: no image set that fits in memory has as many. */
export const MAX_ENTRIES = 4e6;

/**
 * Tells an archive by its first bytes, whatever its name, and a zip by its end too, since a program may precede it (a
 * self-extracting archive); undefined when it is none.
 */
export async function archiveKind(path: string): Promise<ArchiveKind | undefined> {
  const file = await open(path);
  try {
    const head = new Uint8Array(512);
    await file.read(head, 0, head.length, 0);
    const text = Buffer.from(head).toString("latin1");
    if (text.startsWith("PK\x03\x04") || text.startsWith("PK\x05\x06")) return "zip";
    if (text.startsWith("\x1f\x8b")) return "tar.gz";
    if (text.slice(257, 262) === "ustar") return "tar";
    return (await hasZipEnd(file)) ? "zip" : undefined;
  } finally {
    await file.close();
  }
}

/**
 * The entries of an archive in stored order; entries which are no images by name, or may not be read, give their reason
 * to skip. A damaged archive ends with one entry `archive damaged`, after all that could be read. Use every entry that
 * you take: a tar waits for those before it once `inFlight` bytes are in memory.
 * @throws UserError `data/archive-too-large` over {@link MAX_ENTRIES} entries.
 */
export async function* archiveImages(
  path: string,
  kind: ArchiveKind,
  inFlight: number = MAX_IN_FLIGHT,
): AsyncGenerator<ImageFile> {
  const budget = byteBudget(inFlight);
  let entries = 0;
  try {
    for await (const file of kind === "zip" ? zipImages(path, budget) : tarImages(path, kind, budget)) {
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

async function* zipImages(path: string, budget: ByteBudget): AsyncGenerator<ImageFile> {
  const file = await open(path);
  const { entries, whole } = await readZipDirectory(file).finally(() => file.close());
  const repeats = repetitions();
  for (const entry of entries) {
    if (entry.name.endsWith("/")) continue;
    const reason = zipReason(entry) ?? repeats(entry.name);
    yield reason !== undefined
      ? skip(entry.name, reason)
      : {
          name: entry.name,
          use: async (work) => {
            const release = await budget.take(entry.packed + (entry.method === 0 ? 0 : entry.size));
            try {
              return await work(
                await readZipEntry(path, entry).catch((): SkipReason => "corrupt or truncated"),
              );
            } finally {
              release();
            }
          },
        };
  }
  if (!whole) throw new Error("the directory does not end where it should");
}

/** Why an entry is not even read. */
function zipReason(entry: ZipEntry): SkipReason | undefined {
  const { name, link, encrypted, method, size, packed, reach } = entry;
  const kind = classifyName(name);
  if (kind !== "image") return reasonOf(kind);
  if (link) return "link";
  if (encrypted) return "encrypted";
  if (method !== 0 && method !== 8) return "format not supported";
  if (size > MAX_FILE_BYTES) return OVER_BYTES;
  if (size > FREE_ENTRY_BYTES && size > MAX_RATIO * packed) return `compressed over ${MAX_RATIO}:1`;
  if (reach === "past the end") return "corrupt or truncated";
  if (reach === "next entry") return "overlaps another entry";
  if (packed > MAX_FILE_BYTES) return OVER_BYTES;
  return undefined;
}

async function* tarImages(path: string, kind: ArchiveKind, budget: ByteBudget): AsyncGenerator<ImageFile> {
  const repeats = repetitions();
  for await (const entry of tarEntries(path, kind === "tar.gz")) {
    const { name, size = 0 } = entry.header;
    const reason = tarReason(entry) ?? repeats(name);
    if (reason !== undefined) {
      entry.resume();
      if (reason !== "folder") yield skip(name, reason);
      continue;
    }
    const release = await budget.take(size);
    yield held(name, await readTarEntry(entry), release);
  }
}

/** Why an entry of a tar is not read; a folder needs no word. */
function tarReason({ header }: TarEntry): SkipReason | "folder" | undefined {
  const { name, type, size = 0, pax } = header;
  if (type === "directory") return "folder";
  const kind = classifyName(name);
  if (kind !== "image") return reasonOf(kind);
  if (type === "symlink" || type === "link") return "link";
  // Files with holes are stored in ways of their own.
  if (type === null || Object.keys(pax ?? {}).some((key) => key.startsWith("GNU.sparse.")))
    return "format not supported";
  if (type !== "file" && type !== "contiguous-file") return "not an image file";
  return size > MAX_FILE_BYTES ? OVER_BYTES : undefined;
}

/** Tells of a name that came before: which of the two is meant nobody knows, so the first is read. */
function repetitions(): (name: string) => SkipReason | undefined {
  const names = new Set<string>();
  return (name) => {
    if (names.has(name)) return "same name as another";
    names.add(name);
    return undefined;
  };
}

/** An entry that is in memory already; `release` when it has been used. */
function held(name: string, bytes: Uint8Array | SkipReason, release: () => void): ImageFile {
  return { name, use: (work) => work(bytes).finally(release) };
}

function skip(name: string, reason: SkipReason): ImageFile {
  return { name, use: (work) => work(reason) };
}

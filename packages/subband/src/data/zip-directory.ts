/**
 * @module The central directory of a zip, by PKWARE's APPNOTE 6.3: what lies in it and where. Nothing in it is believed
 * before it is checked against the size of the file and against the other entries.
 */
import type { FileHandle } from "node:fs/promises";
import { UserError } from "onnxgrad/errors";
import { readExactly } from "./read-exactly.ts";

/** One entry as the directory has it. */
export interface ListedEntry {
  readonly name: string;
  /** The name's bytes, which the local header repeats. */
  readonly rawName: Buffer;
  /** 0 is stored, 8 is deflate. */
  readonly method: number;
  readonly encrypted: boolean;
  /** True of a symbolic link, whose content is a path. */
  readonly link: boolean;
  readonly crc: number;
  /** Bytes in the file. */
  readonly packed: number;
  /** Bytes when unpacked, as it claims. */
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
}

/** An entry among the others. */
export interface ZipEntry extends ListedEntry {
  /** Where the next entry begins, or the directory. */
  readonly limit: number;
  /** Whether the bytes it claims are its own, reach into the next entry, or past all entries. */
  readonly reach: "own" | "next entry" | "past the end";
}

export interface ZipDirectory {
  readonly entries: readonly ZipEntry[];
  /** False when there are other entries than the archive claims, or when they could not be read to the end. */
  readonly whole: boolean;
}

/** Bytes of a local header before the name. */
export const LOCAL_HEADER_BYTES = 30;

const END_BYTES = 22;
const LOCATOR_BYTES = 20;
const MAX_COMMENT = 0xffff;
/** A directory above this many bytes is refused: it is in memory while the archive is read. */
const MAX_DIRECTORY_BYTES = 256e6;

interface Claim {
  /** Where the directory begins. */
  readonly start: number;
  readonly bytes: number;
  readonly count: number;
  /** Bytes before the archive proper, as before a self-extracting one: every offset is that much further. */
  readonly shift: number;
}

/** True when the end of a zip's directory is found, whatever the file begins with. */
export async function hasZipEnd(file: FileHandle): Promise<boolean> {
  return (await findDirectory(file, (await file.stat()).size)) !== undefined;
}

/**
 * Reads the directory. @throws Error when there is none. @throws UserError `data/archive-too-large` when it is larger
 * than memory allows.
 */
export async function readZipDirectory(file: FileHandle): Promise<ZipDirectory> {
  const claim = await findDirectory(file, (await file.stat()).size);
  if (claim === undefined) throw new Error("no central directory");
  if (claim.bytes > MAX_DIRECTORY_BYTES)
    throw new UserError(
      "data/archive-too-large",
      `archive with too many entries: its list of them is over ${MAX_DIRECTORY_BYTES / 1e6} MB; split it.`,
    );
  const bytes = await readExactly(file, claim.start, claim.bytes);
  const entries: ListedEntry[] = [];
  let at = 0;
  while (isSigned(bytes, at, 0x02014b50) && at + 46 <= bytes.length) {
    const next =
      at + 46 + bytes.readUInt16LE(at + 28) + bytes.readUInt16LE(at + 30) + bytes.readUInt16LE(at + 32);
    if (next > bytes.length) break;
    entries.push(parseEntry(bytes.subarray(at, next), claim.shift));
    at = next;
  }
  // Without zip64 the count is of 16 bits, and archives of more entries are about.
  const counted = entries.length === claim.count || (entries.length & 0xffff) === claim.count;
  const ended = at === bytes.length || isSigned(bytes, at, 0x05054b50);
  return { entries: withLimits(entries, claim.start), whole: counted && ended };
}

/** Looks for the end record backwards, past a comment or other bytes behind it. */
async function findDirectory(file: FileHandle, size: number): Promise<Claim | undefined> {
  const length = Math.min(size, LOCATOR_BYTES + END_BYTES + MAX_COMMENT);
  const tail = await readExactly(file, size - length, length);
  for (let i = length - END_BYTES; i >= 0; i--) {
    if (!isSigned(tail, i, 0x06054b50)) continue;
    const end = size - length + i;
    const bytes = tail.readUInt32LE(i + 12);
    const offset = tail.readUInt32LE(i + 16);
    const claim =
      (await claim64(file, tail, i, end)) ??
      (await located(file, end, { bytes, offset, count: tail.readUInt16LE(i + 10) }));
    if (claim !== undefined) return claim;
  }
  return undefined;
}

/** What the zip64 end record says, where one precedes the end record at `i` of `tail`. */
async function claim64(file: FileHandle, tail: Buffer, i: number, end: number): Promise<Claim | undefined> {
  const locator = i - LOCATOR_BYTES;
  if (locator < 0 || !isSigned(tail, locator, 0x07064b50)) return undefined;
  for (const at of [readUInt64(tail, locator + 8), end - LOCATOR_BYTES - 56]) {
    if (at < 0 || at + 56 > end) continue;
    const record = await readExactly(file, at, 56);
    if (!isSigned(record, 0, 0x06064b50)) continue;
    const [count, bytes, offset] = [readUInt64(record, 32), readUInt64(record, 40), readUInt64(record, 48)];
    return located(file, at, { bytes, offset, count });
  }
  return undefined;
}

/** The directory just before its end record or, if something lies between, at the offset itself. */
async function located(
  file: FileHandle,
  end: number,
  { bytes, offset, count }: { readonly bytes: number; readonly offset: number; readonly count: number },
): Promise<Claim | undefined> {
  for (const start of [end - bytes, offset]) {
    if (start < 0 || start + bytes > end) continue;
    const shift = start - offset;
    if (bytes === 0) return count === 0 ? { start, bytes, count, shift } : undefined;
    if (shift < 0 || bytes < 46) continue;
    if (isSigned(await readExactly(file, start, 4), 0, 0x02014b50)) return { start, bytes, count, shift };
  }
  return undefined;
}

function parseEntry(bytes: Buffer, shift: number): ListedEntry {
  const rawName = bytes.subarray(46, 46 + bytes.readUInt16LE(28));
  const extra = bytes.subarray(46 + rawName.length, 46 + rawName.length + bytes.readUInt16LE(30));
  const flags = bytes.readUInt16LE(8);
  let [packed, size, offset] = [bytes.readUInt32LE(20), bytes.readUInt32LE(24), bytes.readUInt32LE(42)];
  // Of zip64 only those fields are there that do not fit above, in this order.
  const wide = extraField(extra, 0x0001);
  let at = 0;
  const widen = (field: number): number => {
    if (field !== 0xffffffff || at + 8 > wide.length) return field;
    at += 8;
    return readUInt64(wide, at - 8);
  };
  size = widen(size);
  packed = widen(packed);
  offset = widen(offset);
  const unix = [3, 19].includes(bytes[5]!); // made by Unix, or by macOS
  const type = (bytes.readUInt32LE(38) >>> 16) & 0o170000;
  return {
    name: nameOf(rawName),
    rawName,
    method: bytes.readUInt16LE(10),
    encrypted: (flags & 0x41) !== 0,
    link: unix && type === 0o120000,
    crc: bytes.readUInt32LE(16),
    packed,
    size,
    offset: offset + shift,
  };
}

/** Data of the extra field `id`; empty where there is none. */
function extraField(extra: Buffer, id: number): Buffer {
  for (let at = 0; at + 4 <= extra.length; at += 4 + extra.readUInt16LE(at + 2))
    if (extra.readUInt16LE(at) === id) return extra.subarray(at + 4, at + 4 + extra.readUInt16LE(at + 2));
  return extra.subarray(0, 0);
}

/** UTF-8 where it is that; otherwise one character a byte, so that different names stay different. */
function nameOf(raw: Buffer): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(raw);
  } catch {
    return raw.toString("latin1");
  }
}

/** Adds where each entry must end. Of those that reach no further no two share a byte: all bytes are read once at most. */
function withLimits(entries: readonly ListedEntry[], directory: number): ZipEntry[] {
  const order = entries.map((_, i) => i).sort((a, b) => entries[a]!.offset - entries[b]!.offset);
  const limits = new Float64Array(entries.length);
  for (let k = 0; k < order.length; k++) {
    const next = entries[order[k + 1] ?? -1]?.offset ?? directory;
    limits[order[k]!] = Math.min(next, directory);
  }
  return entries.map((entry, i) => {
    const limit = limits[i]!;
    const end = entry.offset + LOCAL_HEADER_BYTES + entry.rawName.length + entry.packed;
    const reach = end <= limit ? "own" : end <= directory ? "next entry" : "past the end";
    return { ...entry, limit, reach };
  });
}

function isSigned(bytes: Buffer, at: number, signature: number): boolean {
  return at + 4 <= bytes.length && bytes.readUInt32LE(at) === signature;
}

/** Exact up to 2^53; no file is larger. */
function readUInt64(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) + 2 ** 32 * bytes.readUInt32LE(at + 4);
}

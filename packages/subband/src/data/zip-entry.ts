/** @module The content of one entry of a zip, unpacked and checked against its size and its CRC-32. */
import { open } from "node:fs/promises";
import { promisify } from "node:util";
import { crc32, inflateRaw } from "node:zlib";
import { readExactly } from "./read-exactly.ts";
import { LOCAL_HEADER_BYTES, type ZipEntry } from "./zip-directory.ts";

const inflate = promisify(inflateRaw);

/**
 * The content of a stored or deflated entry. The archive is open for as long as this takes, so no read can meet a closed
 * file. @throws Error when headers disagree, the content is of another size than it claims, or its CRC-32 is wrong.
 */
export async function readZipEntry(path: string, entry: ZipEntry): Promise<Uint8Array> {
  const packed = await readPacked(path, entry);
  // One buffer for all of it, never more than claimed; a byte to spare, or zlib would make a second when it is full.
  const chunkSize = Math.max(64, entry.size + 1);
  const maxOutputLength = Math.max(1, entry.size);
  const bytes = entry.method === 0 ? packed : await inflate(packed, { chunkSize, maxOutputLength });
  if (bytes.length !== entry.size) throw new Error(`${bytes.length} bytes where ${entry.size} were promised`);
  if (crc32(bytes) !== entry.crc) throw new Error("wrong CRC-32");
  return bytes;
}

async function readPacked(path: string, entry: ZipEntry): Promise<Buffer> {
  const file = await open(path);
  try {
    const header = await readExactly(file, entry.offset, LOCAL_HEADER_BYTES + entry.rawName.length);
    const rawName = header.subarray(LOCAL_HEADER_BYTES);
    if (header.readUInt32LE(0) !== 0x04034b50 || header.readUInt16LE(26) !== rawName.length)
      throw new Error("no local header");
    if (!rawName.equals(entry.rawName)) throw new Error("another name in the local header");
    const start = entry.offset + header.length + header.readUInt16LE(28);
    if (start + entry.packed > entry.limit) throw new Error("data go on into the next entry");
    return await readExactly(file, start, entry.packed);
  } finally {
    await file.close();
  }
}

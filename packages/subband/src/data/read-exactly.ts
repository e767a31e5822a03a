/** @module Bytes of a file at a position, all of them or an error. */
import type { FileHandle } from "node:fs/promises";

/** Reads go in pieces: one call takes less than 2 GiB. */
const PIECE_BYTES = 1 << 26;

/** The `length` bytes at `position`. @throws Error when the file ends before. */
export async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length); // memory of its own, which may outlive the reading
  for (let at = 0; at < length;) {
    const { bytesRead } = await file.read(bytes, at, Math.min(PIECE_BYTES, length - at), position + at);
    if (bytesRead === 0) throw new Error(`end of file at ${position + at}, ${length - at} bytes too early`);
    at += bytesRead;
  }
  return bytes;
}

/**
 * @module A colour profile put into an encoded PNG (chunk iCCP of its specification, section 11.3.2.3). The encoder
 * would convert the samples to the profile, which they are already in.
 */
import { deflateSync } from "node:zlib";

/** Length of the signature and of the header chunk, which come first. */
const HEADER_END = 8 + 25;

/** Chunks that say what the samples mean, and would contradict the profile. */
const OTHER_MEANINGS: ReadonlySet<string> = new Set(["sRGB", "gAMA", "cHRM", "iCCP"]);

/** The PNG with the ICC profile, its samples untouched. */
export function withProfile(png: Uint8Array, profile: Uint8Array): Uint8Array {
  const name = new TextEncoder().encode("ICC profile\0\0"); // the second 0: deflated
  const kept: Uint8Array[] = [png.subarray(0, HEADER_END), chunk("iCCP", [name, deflateSync(profile)])];
  const view = new DataView(png.buffer, png.byteOffset, png.byteLength);
  for (let at = HEADER_END; at < png.length;) {
    const length = 12 + view.getUint32(at);
    const type = String.fromCharCode(...png.subarray(at + 4, at + 8));
    if (!OTHER_MEANINGS.has(type)) kept.push(png.subarray(at, at + length));
    at += length;
  }
  return joined(kept);
}

/** Length, type, content and check of one chunk. */
function chunk(type: string, content: readonly Uint8Array[]): Uint8Array {
  const body = joined([new TextEncoder().encode(type), ...content]);
  const out = new Uint8Array(body.length + 8);
  const view = new DataView(out.buffer);
  view.setUint32(0, body.length - 4);
  out.set(body, 4);
  view.setUint32(out.length - 4, crc32(body));
  return out;
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((total, { length }) => total + length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

/** The cyclic redundancy check of PNG; a profile has a few kilobytes, so bit by bit will do. */
function crc32(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return (crc ^ 0xffffffff) >>> 0;
}

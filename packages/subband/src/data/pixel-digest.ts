/** @module Tells copies of a picture by their pixels, in a time that does not count beside decoding. */
import { createHash } from "node:crypto";

/** Pieces of a large picture that are looked at, spread evenly, and the samples of one. */
const PIECES = 64;
const PIECE = 4096;

/**
 * A digest of every `stride`-th sample and of what else must agree (a size, say): the same for copies, and by the first
 * sample of its pixels for a grey picture stored as grey or as colour. Of a large picture 64 pieces of 4096 samples stand
 * for all, since whoever takes two pictures for copies that are none loses nothing by it.
 */
export function pixelDigest(samples: Uint8Array, stride = 1, also = ""): string {
  const count = Math.floor(samples.length / stride);
  const hash = createHash("sha1").update(`${count} ${also} `);
  const pieces = Math.min(PIECES, Math.ceil(count / PIECE));
  const length = Math.min(PIECE, count);
  const piece = new Uint8Array(length);
  for (let i = 0; i < pieces; i++) {
    const from = pieces === 1 ? 0 : Math.floor((i * (count - length)) / (pieces - 1));
    if (stride === 1) hash.update(samples.subarray(from, from + length));
    else {
      for (let k = 0; k < length; k++) piece[k] = samples[(from + k) * stride]!;
      hash.update(piece);
    }
  }
  return hash.digest("base64");
}

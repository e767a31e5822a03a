/** @module Whether an ICC profile can say what samples mean (ICC.1:2022, sections 7 to 9). */

import { greyToSrgb } from "./grey-curve.ts";

/** Types of tags that a conversion to sRGB needs, by the tags' names; each list of names is one way to have it. */
const WAYS: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "RGB ": [["A2B0"], ["rXYZ", "gXYZ", "bXYZ", "rTRC", "gTRC", "bTRC"]],
  GRAY: [["kTRC"]],
};

const TYPES: Readonly<Record<string, readonly string[]>> = {
  A2B0: ["mft1", "mft2", "mAB "],
  rXYZ: ["XYZ "],
  gXYZ: ["XYZ "],
  bXYZ: ["XYZ "],
  rTRC: ["curv", "para"],
  gTRC: ["curv", "para"],
  bTRC: ["curv", "para"],
  kTRC: ["curv", "para"],
};

/** What a profile is worth to samples of so many colours; a damaged one, or one of other samples, says nothing of them. */
export function profileFit(icc: Uint8Array, colours: 1 | 3): "fits" | "damaged" | "of another colour space" {
  const file = Buffer.from(icc.buffer, icc.byteOffset, icc.length);
  const text = (at: number): string => file.toString("latin1", at, at + 4);
  if (file.length < 132 || text(36) !== "acsp" || file.readUInt32BE(0) > file.length) return "damaged";
  const space = text(16);
  if (space !== (colours === 1 ? "GRAY" : "RGB ")) return "of another colour space";
  const types = new Map<string, string>();
  for (let at = 132, left = file.readUInt32BE(128); left > 0 && at + 12 <= file.length; at += 12, left--) {
    const [from, length] = [file.readUInt32BE(at + 4), file.readUInt32BE(at + 8)];
    if (from + length <= file.length && length >= 8) types.set(text(at), text(from));
  }
  const isThere = (name: string): boolean => TYPES[name]!.includes(types.get(name) ?? "");
  if (!WAYS[space]!.some((names) => names.every(isThere))) return "damaged";
  return colours === 3 || hasWholeCurve(icc) ? "fits" : "damaged";
}

/** Whether the curve of a grey profile lies within it. */
function hasWholeCurve(icc: Uint8Array): boolean {
  try {
    greyToSrgb(icc, 255);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

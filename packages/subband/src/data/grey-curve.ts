/**
 * @module What a grey ICC profile says of samples, as a table to sRGB. The decoder's own conversion goes through a few
 * points only and is up to ten levels off where it is dark.
 */

/** Samples of sRGB for those of a grey profile with a curve (tag kTRC), 0..peak. */
export function greyToSrgb(icc: Uint8Array, peak: 255 | 65535): Uint16Array {
  const file = Buffer.from(icc.buffer, icc.byteOffset, icc.length);
  const curve = curveOf(file);
  const isLab = file.toString("latin1", 20, 23) === "Lab";
  return Uint16Array.from({ length: peak + 1 }, (_, v) => {
    const found = Math.min(1, Math.max(0, curve(v / peak)));
    return Math.round(peak * encoded(isLab ? luminance(100 * found) : found));
  });
}

/** The transfer of sRGB, from light to sample. */
const encoded = (y: number): number => (y <= 0.0031308 ? 12.92 * y : 1.055 * y ** (1 / 2.4) - 0.055);

/** From L* to light, both of CIE 1976. */
const luminance = (l: number): number => (l > 8 ? ((l + 16) / 116) ** 3 : l / (24389 / 27));

/** The curve of tag kTRC (ICC.1:2022, 10.6 and 10.18). */
function curveOf(file: Buffer): (x: number) => number {
  let at = 0;
  const last = Math.min(132 + 12 * file.readUInt32BE(128), file.length) - 12;
  for (let entry = 132; entry <= last; entry += 12)
    if (file.toString("latin1", entry, entry + 4) === "kTRC") at = file.readUInt32BE(entry + 4);
  if (file.toString("latin1", at, at + 4) === "para") return parametric(file, at);
  const n = file.readUInt32BE(at + 8);
  if (n === 0) return (x) => x;
  if (n === 1) {
    const gamma = file.readUInt16BE(at + 12) / 256;
    return (x) => x ** gamma;
  }
  const point = (i: number): number => file.readUInt16BE(at + 12 + 2 * Math.min(i, n - 1)) / 65535;
  return (x) => {
    const i = Math.floor(x * (n - 1));
    const share = x * (n - 1) - i;
    return (1 - share) * point(i) + share * point(i + 1);
  };
}

function parametric(file: Buffer, at: number): (x: number) => number {
  const count = [1, 3, 4, 5, 7][file.readUInt16BE(at + 8)] ?? 1;
  const given = Array.from({ length: count }, (_, i) => file.readInt32BE(at + 12 + 4 * i) / 65536);
  const [g = 1, a = 1, b = 0] = given;
  const power = (x: number): number => Math.max(0, a * x + b) ** g;
  if (count === 1) return power;
  if (count <= 4) {
    const c = given[3] ?? 0;
    return (x) => (x >= -b / a ? power(x) + c : c);
  }
  const [c, d, e = 0, f = 0] = given.slice(3);
  return (x) => (x >= d! ? power(x) + e : c! * x + f);
}

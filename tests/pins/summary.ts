/** @module Large arrays in a few numbers, by which a small change of any element shows, and within which rounding stays. */
import { createHash } from "node:crypto";

/** What is kept of an array of floats. */
export interface Summary {
  readonly count: number;
  readonly rms: number;
  readonly least: number;
  readonly most: number;
  /** Sums of all elements under fixed random signs, over the square root of their number: each is about as large as `rms`. */
  readonly projections: readonly number[];
}

/** Summarises the elements of `arrays`, one after the other. */
export function summarise(arrays: Iterable<ArrayLike<number>>): Summary {
  const projections = [0, 0, 0, 0];
  let [count, squares, least, most] = [0, 0, Infinity, -Infinity];
  for (const array of arrays)
    for (let i = 0; i < array.length; i++) {
      const value = array[i]!;
      const bits = mix(count++);
      squares += value * value;
      least = Math.min(least, value);
      most = Math.max(most, value);
      for (let p = 0; p < projections.length; p++) projections[p]! += (bits >> p) & 1 ? value : -value;
    }
  const rounded = (value: number): number => Number(value.toPrecision(8));
  return {
    count,
    rms: rounded(Math.sqrt(squares / count)),
    least: rounded(least),
    most: rounded(most),
    projections: projections.map((sum) => rounded(sum / Math.sqrt(count))),
  };
}

/** The greatest difference of two summaries, relative to the size of the elements; infinite for other counts. */
export function summaryGap(a: Summary, b: Summary): number {
  if (a.count !== b.count) return Infinity;
  const numbers = ({ rms, projections }: Summary): number[] => [rms, ...projections];
  const extremes = ({ least, most }: Summary): number[] => [least, most];
  const gap = (x: readonly number[], y: readonly number[], unit: number): number =>
    Math.max(...x.map((value, i) => Math.abs(value - y[i]!))) / (unit || 1);
  return Math.max(
    gap(numbers(a), numbers(b), b.rms),
    gap(extremes(a), extremes(b), Math.max(-b.least, b.most, b.rms)),
  );
}

/** SHA-256 in hexadecimal. */
export function sha256(...parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

/** Bits of a number that look random: the finaliser of MurmurHash3. */
function mix(n: number): number {
  let h = Math.imul(n ^ (n >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) >>> 3;
}

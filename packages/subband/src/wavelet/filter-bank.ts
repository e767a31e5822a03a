/**
 * @module The two-channel filter bank along one axis: analysis filters and keeps every second sample, synthesis does
 * the reverse. Each line is copied into a float64 buffer, continued by the boundary mode and filtered without branches.
 */
import { type BoundaryMode, extendInPlace } from "./boundary-modes.ts";
import type { Samples } from "./planes.ts";
import { type Wavelet, type WaveletLike, wavelet } from "./wavelets.ts";

/** From so many values on, contiguous lines are copied by one call: a loop takes 1.5 to 2 times as long at 64, 3 to 9 at 512. */
const COPIED_WHOLE = 64;

/** One axis of an array seen as [outer, n, inner], where `n` is that axis's size. */
export interface AxisView {
  readonly outer: number;
  readonly inner: number;
}

/** Number of low-band (or high-band) coefficients of `n` samples: ceil(n/2) or, with all filter overlaps, floor((n+F-1)/2). */
export function coefficientLength(n: number, name: WaveletLike, mode: BoundaryMode): number {
  return mode === "periodization" ? Math.ceil(n / 2) : Math.floor((n + wavelet(name).decLo.length - 1) / 2);
}

/** Number of samples that `n` coefficients reconstruct: the original size when that was even, one more when odd. */
export function reconstructedLength(n: number, name: WaveletLike, mode: BoundaryMode): number {
  return mode === "periodization" ? 2 * n : 2 * n - wavelet(name).recLo.length + 2;
}

/**
 * The deepest useful level for `n` samples: floor(log2(n / (F - 1))), the last at which the coarsest band still has a
 * coefficient untouched by both ends; 0 when the signal is shorter than that. Deeper levels work but see only borders.
 */
export function maxLevel(n: number, name: WaveletLike): number {
  const overlap = wavelet(name).decLo.length - 1;
  let level = 0;
  // Counting avoids the rounding of log2 at exact powers.
  while (overlap * 2 ** (level + 1) <= n) level++;
  return level;
}

/**
 * Splits the axis of size `n` into its two bands of `coefficientLength(n)`:
 * low[o] = sum_j decLo[j] x[p + 2o - j], high with decHi, where x continues by `mode` and p is 1 (F/2 for
 * periodization, which centres the filter).
 */
export function analyseAxis<T extends Samples>(
  x: T,
  { outer, inner }: AxisView,
  n: number,
  bank: Wavelet,
  mode: BoundaryMode,
  low: T,
  high: T,
): void {
  const taps = bank.decLo.length;
  const lo = Float64Array.from(bank.decLo.toReversed());
  const hi = Float64Array.from(bank.decHi.toReversed());
  const count = coefficientLength(n, bank, mode);
  const first = taps - 1 - (mode === "periodization" ? taps / 2 : 1); // samples before x[0] that the filter reaches
  const pairs = Math.ceil(count / 2); // of coefficients: the kernel makes two at a time, maybe one too many
  const line = new Float64Array(4 * pairs - 2 + taps);
  const lowLine = new Float64Array(2 * pairs);
  const highLine = new Float64Array(2 * pairs);
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      gather(x, o * n * inner + c, inner, line, first, n);
      extendInPlace(line, first, n, mode);
      analyseLine(line, lo, hi, lowLine, highLine);
      scatter(lowLine, 0, count, low, o * count * inner + c, inner);
      scatter(highLine, 0, count, high, o * count * inner + c, inner);
    }
  }
}

/**
 * Joins two bands of `count` coefficients along an axis into its first `n` samples:
 * y[t] = sum_k low[k] recLo[t + s - 2k] + high[k] recHi[t + s - 2k], where s is F - 2, or F/2 - 1 with coefficients
 * continued periodically for periodization. `n` is at most `reconstructedLength(count)`.
 */
export function synthesiseAxis<T extends Samples>(
  low: T,
  high: T,
  { outer, inner }: AxisView,
  count: number,
  bank: Wavelet,
  mode: BoundaryMode,
  y: T,
  n: number,
): void {
  const taps = bank.recLo.length;
  const half = taps / 2;
  const lo = Float64Array.from(bank.recLo);
  const hi = Float64Array.from(bank.recHi);
  // Sample t takes the `half` coefficients that end at floor((t + s) / 2): only periodization reaches past 0..count-1.
  const first = mode === "periodization" ? half : 0;
  const shift = mode === "periodization" ? 2 * first + half - 1 : taps - 2;
  const lowLine = new Float64Array(count + 2 * first);
  const highLine = new Float64Array(count + 2 * first);
  // The kernel makes samples in pairs from even positions on, so one too many may come at either end.
  const skip = shift % 2;
  const line = new Float64Array(2 * Math.ceil((n + skip) / 2));
  for (let o = 0; o < outer; o++) {
    for (let c = 0; c < inner; c++) {
      gather(low, o * count * inner + c, inner, lowLine, first, count);
      gather(high, o * count * inner + c, inner, highLine, first, count);
      if (first > 0) {
        extendInPlace(lowLine, first, count, "periodic");
        extendInPlace(highLine, first, count, "periodic");
      }
      synthesiseLine(lowLine, highLine, lo, hi, (shift - skip) / 2, line);
      scatter(line, skip, n, y, o * n * inner + c, inner);
    }
  }
}

/**
 * low[i] = sum_j lo[j] x[2i + j], high likewise with hi. Filters and outputs have even lengths: two coefficients of each
 * band a turn keep four sums in flight, twice as fast as one.
 */
function analyseLine(
  x: Float64Array,
  lo: Float64Array,
  hi: Float64Array,
  low: Float64Array,
  high: Float64Array,
): void {
  const taps = lo.length;
  for (let i = 0; i < low.length; i += 2) {
    let lowFirst = 0;
    let lowSecond = 0;
    let highFirst = 0;
    let highSecond = 0;
    for (let j = 0, at = 2 * i; j < taps; j += 2, at += 2) {
      const l0 = lo[j]!;
      const l1 = lo[j + 1]!;
      const h0 = hi[j]!;
      const h1 = hi[j + 1]!;
      const a = x[at]!;
      const b = x[at + 1]!;
      const c = x[at + 2]!;
      const d = x[at + 3]!;
      lowFirst += l0 * a + l1 * b;
      highFirst += h0 * a + h1 * b;
      lowSecond += l0 * c + l1 * d;
      highSecond += h0 * c + h1 * d;
    }
    low[i] = lowFirst;
    high[i] = highFirst;
    low[i + 1] = lowSecond;
    high[i + 1] = highSecond;
  }
}

/**
 * y[t] = sum_k low[k] lo[t + 2m - 2k] + high[k] hi[t + 2m - 2k] over the taps that exist. An even sample takes the even
 * taps and the odd sample after it the odd taps, with the same coefficients.
 */
function synthesiseLine(
  low: Float64Array,
  high: Float64Array,
  lo: Float64Array,
  hi: Float64Array,
  m: number,
  y: Float64Array,
): void {
  const taps = lo.length;
  for (let t = 0, last = m; t < y.length; t += 2, last++) {
    let even = 0;
    let odd = 0;
    for (let j = 0, k = last; j < taps; j += 2, k--) {
      const a = low[k]!;
      const d = high[k]!;
      even += lo[j]! * a + hi[j]! * d;
      odd += lo[j + 1]! * a + hi[j + 1]! * d;
    }
    y[t] = even;
    y[t + 1] = odd;
  }
}

/** Copies `n` values of `source`, `stride` apart from `start`, to `line[first..]`. */
function gather(
  source: Samples,
  start: number,
  stride: number,
  line: Float64Array,
  first: number,
  n: number,
): void {
  if (stride === 1 && n >= COPIED_WHOLE) line.set(source.subarray(start, start + n), first);
  else for (let i = 0, at = start; i < n; i++, at += stride) line[first + i] = source[at]!;
}

/** Copies the `n` values of `line` from `first` on to `target`, `stride` apart from `start`. */
function scatter(
  line: Float64Array,
  first: number,
  n: number,
  target: Samples,
  start: number,
  stride: number,
): void {
  if (stride === 1 && n >= COPIED_WHOLE) target.set(line.subarray(first, first + n), start);
  else for (let i = 0, to = start; i < n; i++, to += stride) target[to] = line[first + i]!;
}

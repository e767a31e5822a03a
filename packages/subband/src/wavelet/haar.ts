/**
 * @module Fast orthonormal Haar kernels for even sizes, where no filter reaches over a border and all boundary modes
 * agree: pairs in 1-D, and in 2-D whole 2 x 2 blocks [[a, b], [c, d]] in one pass,
 * cA = (a+b+c+d)/2, cH = (a+b-c-d)/2, cV = (a-b+c-d)/2, cD = (a-b-c+d)/2. The block transform is its own inverse.
 * (WMGM calls these LL, LH, HL, HH.)
 */
import type { Samples } from "./planes.ts";
import type { Wavelet } from "./wavelets.ts";

/** Whether the bank is the orthonormal Haar bank, under any of its names (haar, db1, bior1.1, rbio1.1). */
export function isHaar(bank: Wavelet): boolean {
  const { decLo, recLo } = bank;
  return decLo.length === 2 && [...decLo, ...recLo].every((tap) => tap === Math.SQRT1_2);
}

/** Pairs (a, b) of `x` to low = (a+b)/sqrt(2) and high = (a-b)/sqrt(2). Lines of even length may simply follow each other. */
export function splitPairs<T extends Samples>(x: T, low: T, high: T): void {
  for (let i = 0, at = 0; i < low.length; i++, at += 2) {
    const a = x[at]!;
    const b = x[at + 1]!;
    low[i] = (a + b) * Math.SQRT1_2;
    high[i] = (a - b) * Math.SQRT1_2;
  }
}

/** The inverse of {@link splitPairs}. */
export function joinPairs<T extends Samples>(low: T, high: T, x: T): void {
  for (let i = 0, to = 0; i < low.length; i++, to += 2) {
    const a = low[i]!;
    const d = high[i]!;
    x[to] = (a + d) * Math.SQRT1_2;
    x[to + 1] = (a - d) * Math.SQRT1_2;
  }
}

/** Where {@link splitBlocks} reads and writes: the first value in `x`, in cA and in the details, and rows of blocks. */
export interface BlockRows {
  readonly from: number;
  readonly low: number;
  readonly detail: number;
  readonly rows: number;
}

/**
 * The 2 x 2 blocks of `x`, rows of `2 * width` values, to four bands with rows of `width`. Planes of even height may
 * follow each other. `part` is some rows of it; left out, all.
 */
export function splitBlocks<T extends Samples>(
  x: T,
  width: number,
  cA: T,
  cH: T,
  cV: T,
  cD: T,
  part: BlockRows = { from: 0, low: 0, detail: 0, rows: cA.length / width },
): void {
  for (let row = 0; row < part.rows; row++) {
    let j = part.low + row * width;
    let i = part.detail + row * width;
    let top = part.from + 4 * row * width;
    let bottom = top + 2 * width;
    const end = i + width;
    // Two blocks a turn, band by band, with indices that wrap: V8 then checks each array once a turn and no sum for
    // overflow.
    for (; i < end - 1; i = (i + 2) | 0) {
      const a = 0.5 * x[top]!;
      const b = 0.5 * x[(top + 1) | 0]!;
      const a2 = 0.5 * x[(top + 2) | 0]!;
      const b2 = 0.5 * x[(top + 3) | 0]!;
      const c = 0.5 * x[bottom]!;
      const d = 0.5 * x[(bottom + 1) | 0]!;
      const c2 = 0.5 * x[(bottom + 2) | 0]!;
      const d2 = 0.5 * x[(bottom + 3) | 0]!;
      const next = (i + 1) | 0;
      cA[j] = a + b + (c + d);
      cA[(j + 1) | 0] = a2 + b2 + (c2 + d2);
      cH[i] = a + b - (c + d);
      cH[next] = a2 + b2 - (c2 + d2);
      cV[i] = a - b + (c - d);
      cV[next] = a2 - b2 + (c2 - d2);
      cD[i] = a - b - (c - d);
      cD[next] = a2 - b2 - (c2 - d2);
      top = (top + 4) | 0;
      bottom = (bottom + 4) | 0;
      j = (j + 2) | 0;
    }
    if (i < end) splitBlock(x, top, bottom, cA, j, cH, cV, cD, i);
  }
}

/** Bands of {@link splitLevels}: the last approximation and the details of level 1 (finest) to the last. */
export interface HaarLevels<T extends Samples> {
  readonly cA: T;
  readonly details: readonly (readonly [cH: T, cV: T, cD: T])[];
}

/**
 * Splits planes [n, h, w], whose extents are multiples of 2^J, over the J levels of `details`. It goes down all levels
 * with 2^J rows at a time: approximations in between stay in the cache and are never whole in memory.
 */
export function splitLevels<T extends Samples>(
  x: T,
  [n, h, w]: readonly [n: number, h: number, w: number],
  { cA, details }: HaarLevels<T>,
  allocate: (length: number) => T,
): void {
  const levels = details.length;
  const widths = details.map((_, j) => w >> (j + 1));
  const rows = details.map((_, j) => 1 << (levels - 1 - j));
  const between = details.slice(1).map((_, j) => allocate(rows[j]! * widths[j]!));
  for (let strip = 0; strip < (n * h) >> levels; strip++)
    for (const [j, [cH, cV, cD]] of details.entries()) {
      const size = rows[j]! * widths[j]!;
      splitBlocks(j === 0 ? x : between[j - 1]!, widths[j]!, between[j] ?? cA, cH, cV, cD, {
        from: j === 0 ? 4 * strip * size : 0,
        low: j === levels - 1 ? strip * size : 0,
        detail: strip * size,
        rows: rows[j]!,
      });
    }
}

/** The inverse of {@link splitBlocks}. */
export function joinBlocks<T extends Samples>(cA: T, cH: T, cV: T, cD: T, width: number, x: T): void {
  for (let row = 0; row < cA.length; row += width) {
    const end = row + width;
    let i = row;
    let top = 4 * row;
    let bottom = top + 2 * width;
    for (; i + 3 < end; i += 4, top += 8, bottom += 8) {
      joinBlock(cA, cH, cV, cD, i, x, top, bottom);
      joinBlock(cA, cH, cV, cD, i + 1, x, top + 2, bottom + 2);
      joinBlock(cA, cH, cV, cD, i + 2, x, top + 4, bottom + 4);
      joinBlock(cA, cH, cV, cD, i + 3, x, top + 6, bottom + 6);
    }
    for (; i < end; i++, top += 2, bottom += 2) joinBlock(cA, cH, cV, cD, i, x, top, bottom);
  }
}

/** The block with its rows at `x[top]` and `x[bottom]` to coefficient `j` of cA and `i` of the details. */
function splitBlock(
  x: Samples,
  top: number,
  bottom: number,
  cA: Samples,
  j: number,
  cH: Samples,
  cV: Samples,
  cD: Samples,
  i: number,
): void {
  const a = x[top]!;
  const b = x[top + 1]!;
  const c = x[bottom]!;
  const d = x[bottom + 1]!;
  const sumTop = 0.5 * (a + b);
  const differenceTop = 0.5 * (a - b);
  const sumBottom = 0.5 * (c + d);
  const differenceBottom = 0.5 * (c - d);
  cA[j] = sumTop + sumBottom;
  cH[i] = sumTop - sumBottom;
  cV[i] = differenceTop + differenceBottom;
  cD[i] = differenceTop - differenceBottom;
}

/** The inverse of {@link splitBlock}. */
function joinBlock(
  cA: Samples,
  cH: Samples,
  cV: Samples,
  cD: Samples,
  i: number,
  x: Samples,
  top: number,
  bottom: number,
): void {
  const ll = cA[i]!;
  const lh = cH[i]!;
  const hl = cV[i]!;
  const hh = cD[i]!;
  const sumTop = 0.5 * (ll + lh);
  const differenceTop = 0.5 * (hl + hh);
  const sumBottom = 0.5 * (ll - lh);
  const differenceBottom = 0.5 * (hl - hh);
  x[top] = sumTop + differenceTop;
  x[top + 1] = sumTop - differenceTop;
  x[bottom] = sumBottom + differenceBottom;
  x[bottom + 1] = sumBottom - differenceBottom;
}

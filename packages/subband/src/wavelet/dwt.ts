/**
 * @module One level of the discrete wavelet transform in 1-D and 2-D, in PyWavelets' naming, band order and
 * coefficient lengths. Leading axes are a batch; even-sized Haar takes the block kernels of `haar.ts`.
 */
import { UserError } from "onnxgrad";
import { type BoundaryMode, boundaryMode } from "./boundary-modes.ts";
import { analyseAxis, coefficientLength, reconstructedLength, synthesiseAxis } from "./filter-bank.ts";
import { isHaar, joinBlocks, joinPairs, splitBlocks, splitPairs } from "./haar.ts";
import { allocate, type Planes, sameShape, type Samples, splitShape } from "./planes.ts";
import { type Wavelet, type WaveletLike, wavelet } from "./wavelets.ts";

/**
 * The detail bands of one level: cH is high along the columns (horizontal edges; LH in the WMGM paper), cV high along
 * the rows (vertical edges; HL), cD high along both (HH).
 */
export type Details<T extends Samples = Samples> = readonly [cH: Planes<T>, cV: Planes<T>, cD: Planes<T>];

/**
 * Splits the last axis, of n >= 1 samples, into approximation and detail of `coefficientLength(n)` each.
 *
 * @example
 * const [cA, cD] = dwt(planes(Float64Array.of(1, 2, 3, 4), [4]), "db2", "symmetric");
 * @throws UserError for an unknown wavelet or mode, or a shape that does not fit the data.
 */
export function dwt<T extends Samples>(
  x: Planes<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
): [cA: Planes<T>, cD: Planes<T>] {
  const bank = wavelet(name);
  boundaryMode(mode);
  const { leading, batch, last } = splitShape(x, 1, "dwt");
  const n = last[0]!;
  const count = coefficientLength(n, bank, mode);
  const low = allocate(x.data, batch * count);
  const high = allocate(x.data, batch * count);
  if (isHaar(bank) && n % 2 === 0) splitPairs(x.data, low, high);
  else analyseAxis(x.data, { outer: batch, inner: 1 }, n, bank, mode, low, high);
  const shape = [...leading, count];
  return [
    { data: low, shape },
    { data: high, shape },
  ];
}

/**
 * Inverts {@link dwt}. `length` is the original number of samples; left out, it is the even one of the two that fit.
 * @throws UserError when the bands differ in shape or `length` is not one of the two that fit.
 */
export function idwt<T extends Samples>(
  cA: Planes<T>,
  cD: Planes<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  length?: number,
): Planes<T> {
  const bank = wavelet(name);
  boundaryMode(mode);
  sameShape("idwt", { cA, cD });
  const { leading, batch, last } = splitShape(cA, 1, "idwt");
  splitShape(cD, 1, "idwt");
  const count = last[0]!;
  const n = originalLength(count, bank, mode, length);
  const data = allocate(cA.data, batch * n);
  if (isHaar(bank) && n % 2 === 0) joinPairs(cA.data, cD.data, data);
  else synthesiseAxis(cA.data, cD.data, { outer: batch, inner: 1 }, count, bank, mode, data, n);
  return { data, shape: [...leading, n] };
}

/**
 * Splits the last two axes, [..., h, w], into `[cA, [cH, cV, cD]]`, each
 * [..., coefficientLength(h), coefficientLength(w)].
 *
 * @example
 * const [cA, [cH, cV, cD]] = dwt2(planes(pixels, [n, 3, 64, 64]), "haar", "periodization"); // each [n, 3, 32, 32]
 * @throws UserError for an unknown wavelet or mode, or a shape that does not fit the data.
 */
export function dwt2<T extends Samples>(
  x: Planes<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
): [cA: Planes<T>, details: Details<T>] {
  const bank = wavelet(name);
  boundaryMode(mode);
  const { leading, batch, last } = splitShape(x, 2, "dwt2");
  const [h, w] = last as [number, number];
  const rows = coefficientLength(h, bank, mode);
  const columns = coefficientLength(w, bank, mode);
  const band = (): T => allocate(x.data, batch * rows * columns);
  const [cA, cH, cV, cD] = [band(), band(), band(), band()];
  if (isHaar(bank) && h % 2 === 0 && w % 2 === 0) splitBlocks(x.data, columns, cA, cH, cV, cD);
  else {
    const low = allocate(x.data, batch * h * columns);
    const high = allocate(x.data, batch * h * columns);
    analyseAxis(x.data, { outer: batch * h, inner: 1 }, w, bank, mode, low, high);
    analyseAxis(low, { outer: batch, inner: columns }, h, bank, mode, cA, cH);
    analyseAxis(high, { outer: batch, inner: columns }, h, bank, mode, cV, cD);
  }
  const shape = [...leading, rows, columns];
  const wrap = (data: T): Planes<T> => ({ data, shape });
  return [wrap(cA), [wrap(cH), wrap(cV), wrap(cD)]];
}

/**
 * Inverts {@link dwt2}. `shape` is the original [h, w]; left out, it is the even size of the two that fit on each axis.
 * @throws UserError when the bands differ in shape or `shape` does not fit them.
 */
export function idwt2<T extends Samples>(
  [cA, [cH, cV, cD]]: readonly [cA: Planes<T>, details: Details<T>],
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  shape?: readonly [height: number, width: number],
): Planes<T> {
  const bank = wavelet(name);
  boundaryMode(mode);
  sameShape("idwt2", { cA, cH, cV, cD });
  const { leading, batch, last } = splitShape(cA, 2, "idwt2");
  for (const band of [cH, cV, cD]) splitShape(band, 2, "idwt2");
  const [rows, columns] = last as [number, number];
  const h = originalLength(rows, bank, mode, shape?.[0]);
  const w = originalLength(columns, bank, mode, shape?.[1]);
  const data = allocate(cA.data, batch * h * w);
  if (isHaar(bank) && h % 2 === 0 && w % 2 === 0)
    joinBlocks(cA.data, cH.data, cV.data, cD.data, columns, data);
  else {
    const low = allocate(cA.data, batch * h * columns);
    const high = allocate(cA.data, batch * h * columns);
    const vertical = { outer: batch, inner: columns };
    synthesiseAxis(cA.data, cH.data, vertical, rows, bank, mode, low, h);
    synthesiseAxis(cV.data, cD.data, vertical, rows, bank, mode, high, h);
    synthesiseAxis(low, high, { outer: batch * h, inner: 1 }, columns, bank, mode, data, w);
  }
  return { data, shape: [...leading, h, w] };
}

/** The size to reconstruct from `count` coefficients: `asked`, which must be the even size or one less. */
function originalLength(count: number, bank: Wavelet, mode: BoundaryMode, asked: number | undefined): number {
  const even = reconstructedLength(count, bank, mode);
  if (even < 1)
    throw new UserError(
      "wavelet/shape",
      `${count} coefficients are too few to invert ${bank.name} in mode ${mode}; at least ${bank.recLo.length / 2} are needed.`,
    );
  if (asked === undefined || asked === even || asked === even - 1) return asked ?? even;
  throw new UserError(
    "wavelet/shape",
    `${count} ${bank.name} coefficients in mode ${mode} reconstruct ${even} or ${even - 1} samples, not ${asked}.`,
  );
}

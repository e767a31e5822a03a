/**
 * @module Multilevel wavelet transforms: `dwt` applied again and again to the approximation. Coefficients are listed
 * from the coarsest to the finest level, as in PyWavelets.
 */
import { UserError } from "onnxgrad";
import { type BoundaryMode, boundaryMode } from "./boundary-modes.ts";
import { type Details, dwt, dwt2, idwt, idwt2 } from "./dwt.ts";
import { maxLevel } from "./filter-bank.ts";
import { isHaar, splitLevels } from "./haar.ts";
import { allocate, type Planes, type Samples, splitShape } from "./planes.ts";
import { wavelet, type WaveletLike } from "./wavelets.ts";

/** `[cA_J, cD_J, ..., cD_1]`. */
export type Pyramid<T extends Samples = Samples> = readonly [cA: Planes<T>, ...details: Planes<T>[]];

/** `[cA_J, [cH_J, cV_J, cD_J], ..., [cH_1, cV_1, cD_1]]`. */
export type Pyramid2<T extends Samples = Samples> = readonly [cA: Planes<T>, ...details: Details<T>[]];

/**
 * Analyses the last axis over `levels` levels (default: {@link maxLevel}).
 * @throws UserError as {@link dwt}, or when `levels` is not a non-negative integer.
 */
export function wavedec<T extends Samples>(
  x: Planes<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  levels?: number,
): Pyramid<T> {
  const { last } = splitShape(x, 1, "wavedec");
  const details: Planes<T>[] = [];
  let cA = x;
  for (let level = checkLevels(levels ?? maxLevel(last[0]!, name)); level > 0; level--) {
    const [low, high] = dwt(cA, name, mode);
    details.unshift(high);
    cA = low;
  }
  return [cA, ...details];
}

/**
 * Inverts {@link wavedec}. `length` is the original number of samples, needed only when that was odd.
 * @throws UserError as {@link idwt}.
 */
export function waverec<T extends Samples>(
  [cA, ...details]: Pyramid<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  length?: number,
): Planes<T> {
  // Each approximation is cut to the size of the next finer detail: sizes that were odd on the way down come back.
  return details.reduce(
    (x, detail, i) => idwt(x, detail, name, mode, details[i + 1]?.shape.at(-1) ?? length),
    cA,
  );
}

/**
 * Analyses the last two axes over `levels` levels (default: {@link maxLevel} of the shorter one).
 *
 * @example
 * const [cA, [cH2, cV2, cD2], [cH1, cV1, cD1]] = wavedec2(planes(pixels, [3, 64, 64]), "haar", "periodization", 2);
 * @throws UserError as {@link dwt2}, or when `levels` is not a non-negative integer.
 */
export function wavedec2<T extends Samples>(
  x: Planes<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  levels?: number,
): Pyramid2<T> {
  const { leading, batch, last } = splitShape(x, 2, "wavedec2");
  const [h, w] = last as [number, number];
  const count = checkLevels(levels ?? maxLevel(Math.min(h, w), name));
  boundaryMode(mode);
  if (isHaar(wavelet(name)) && count > 0 && (h | w) % 2 ** count === 0)
    return haarPyramid(x.data, leading, [batch, h, w], count);
  const details: Details<T>[] = [];
  let cA = x;
  for (let level = count; level > 0; level--) {
    const [low, high] = dwt2(cA, name, mode);
    details.unshift(high);
    cA = low;
  }
  return [cA, ...details];
}

/** {@link wavedec2} by Haar of extents that are multiples of 2^levels, where all boundary modes agree. */
function haarPyramid<T extends Samples>(
  x: T,
  leading: readonly number[],
  size: readonly [batch: number, h: number, w: number],
  levels: number,
): Pyramid2<T> {
  const [batch, h, w] = size;
  const band = (level: number): Planes<T> => ({
    data: allocate(x, batch * (h >> level) * (w >> level)),
    shape: [...leading, h >> level, w >> level],
  });
  const cA = band(levels);
  const details = Array.from({ length: levels }, (_, j) => [band(j + 1), band(j + 1), band(j + 1)] as const);
  const bands = details.map(([cH, cV, cD]) => [cH.data, cV.data, cD.data] as const);
  splitLevels(x, size, { cA: cA.data, details: bands }, (length) => allocate(x, length));
  return [cA, ...details.reverse()];
}

/**
 * Inverts {@link wavedec2}. `shape` is the original [h, w], needed only when one of them was odd.
 * @throws UserError as {@link idwt2}.
 */
export function waverec2<T extends Samples>(
  [cA, ...details]: Pyramid2<T>,
  name: WaveletLike,
  mode: BoundaryMode = "symmetric",
  shape?: readonly [height: number, width: number],
): Planes<T> {
  return details.reduce((x, level, i) => {
    const finer = details[i + 1]?.[0].shape.slice(-2) as [number, number] | undefined;
    return idwt2([x, level], name, mode, finer ?? shape);
  }, cA);
}

/** @throws UserError `wavelet/levels` unless `levels` is a non-negative integer, which it returns. */
export function checkLevels(levels: number): number {
  if (Number.isInteger(levels) && levels >= 0) return levels;
  throw new UserError("wavelet/levels", `levels must be a non-negative integer; got ${levels}.`);
}

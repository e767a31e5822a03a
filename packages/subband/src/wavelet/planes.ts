/**
 * @module The arrays that the wavelet transforms take and give: a typed array with a row-major shape. Transforms act on
 * the last axis (1-D) or the last two (2-D); every leading axis, such as (image, channel), is a batch.
 */
import { UserError } from "onnxgrad";

/** Element types of {@link Planes}: results have the precision of their input; sums run in float64. */
export type Samples = Float32Array | Float64Array;

/** A row-major array: `data.length` is the product of `shape`; every size is at least 1. */
export interface Planes<T extends Samples = Samples> {
  readonly data: T;
  readonly shape: readonly number[];
}

/**
 * Checks an array given from outside and wraps it.
 * @throws UserError `wavelet/shape` unless all sizes are positive integers whose product is `data.length`.
 */
export function planes<T extends Samples>(data: T, shape: readonly number[]): Planes<T> {
  const size = shape.reduce((product, n) => product * n, 1);
  if (!shape.every((n) => Number.isInteger(n) && n > 0) || size !== data.length)
    throw new UserError(
      "wavelet/shape",
      `shape [${shape.join(", ")}] does not hold ${data.length} values; sizes must be positive integers with that product.`,
    );
  return { data, shape };
}

/** The last `rank` sizes of a checked array and the number of items before them. */
export function splitShape(
  x: Planes,
  rank: number,
  what: string,
): { readonly leading: readonly number[]; readonly batch: number; readonly last: readonly number[] } {
  planes(x.data, x.shape);
  if (x.shape.length < rank)
    throw new UserError(
      "wavelet/shape",
      `${what} needs at least ${rank} ${rank === 1 ? "axis" : "axes"}; got shape [${x.shape.join(", ")}].`,
    );
  const cut = x.shape.length - rank;
  const leading = x.shape.slice(0, cut);
  return { leading, batch: leading.reduce((product, n) => product * n, 1), last: x.shape.slice(cut) };
}

/** @throws UserError `wavelet/shape` unless all bands have one shape. */
export function sameShape(what: string, bands: Readonly<Record<string, Planes>>): void {
  const [first, ...rest] = Object.entries(bands).map(
    ([name, band]) => [name, `[${band.shape.join(", ")}]`] as const,
  );
  for (const [name, shape] of rest)
    if (first !== undefined && shape !== first[1])
      throw new UserError(
        "wavelet/shape",
        `${what} needs bands of one shape: ${first[0]} has ${first[1]}, ${name} has ${shape}.`,
      );
}

/** A zeroed array of `length` values with the precision of `like`. */
export function allocate<T extends Samples>(like: T, length: number): T {
  return (like instanceof Float32Array ? new Float32Array(length) : new Float64Array(length)) as T;
}

/**
 * @module Linear measurements `M^T x` of an image with orthonormal columns of M, `M^T M = I`, so that `M M^T` projects
 * onto what is measured (Kadkhodaie and Simoncelli 2021, section 3.1). The samplers see this interface only. Most
 * measurements are chosen entries of an orthonormal transform, and are built by {@link chosenEntries}.
 */
import { UserError } from "onnxgrad";
import type { State } from "../denoiser.ts";

/** Extents of one image, planar. */
export type ImageExtents = readonly [channels: number, height: number, width: number];

/** A linear measurement of one image. Results are new arrays with the precision of the argument. */
export interface LinearMeasurement {
  /** For messages, e.g. `inpainting`. */
  readonly name: string;
  readonly extents: ImageExtents;
  /** Values of an image: the product of the extents. */
  readonly size: number;
  /** Measured values, 1..size: the columns of M. */
  readonly count: number;
  /** `M^T x`: an image [size] to its measured values [count]. */
  measure<T extends State>(x: T): T;
  /** `M m`: measured values [count] to the least image [size] that has them. */
  adjoint<T extends State>(m: T): T;
  /** `M M^T x`: the measured part of an image. */
  project<T extends State>(x: T): T;
}

/** An orthonormal transform of a whole image, in place. */
export interface OrthonormalTransform {
  forward(x: Float64Array): void;
  inverse(x: Float64Array): void;
}

/**
 * The measurement of the entries `chosen` (strictly increasing, at least one) of an image, or of its orthonormal
 * transform.
 */
export function chosenEntries(
  name: string,
  extents: ImageExtents,
  chosen: ArrayLike<number>,
  transform?: OrthonormalTransform,
): LinearMeasurement {
  const size = extentsSize(name, extents);
  const count = chosen.length;
  const index = Uint32Array.from(chosen);
  return {
    name,
    extents,
    size,
    count,
    measure<T extends State>(x: T) {
      requireLength(name, "image", x, size);
      const all = Float64Array.from(x);
      transform?.forward(all);
      const out = (x.slice() as T).subarray(0, count) as T;
      for (let k = 0; k < count; k++) out[k] = all[index[k]!]!;
      return out;
    },
    adjoint<T extends State>(m: T) {
      requireLength(name, "measurement", m, count);
      const all = new Float64Array(size);
      for (let k = 0; k < count; k++) all[index[k]!] = m[k]!;
      transform?.inverse(all);
      return likeOf(m, all);
    },
    project<T extends State>(x: T) {
      requireLength(name, "image", x, size);
      const all = Float64Array.from(x);
      transform?.forward(all);
      // Zero what lies between the chosen entries.
      let next = 0;
      for (let k = 0; k < count; next = index[k]! + 1, k++) all.fill(0, next, index[k]);
      all.fill(0, next);
      transform?.inverse(all);
      return likeOf(x, all);
    },
  };
}

/** `values` with the precision of `like`. */
export function likeOf<T extends State>(like: T, values: Float64Array): T {
  return (like instanceof Float32Array ? Float32Array.from(values) : values) as T;
}

/** @throws UserError `diffusion/measurement` unless `x` has `length` values. */
export function requireLength(name: string, what: string, x: ArrayLike<number>, length: number): void {
  if (x.length !== length)
    throw new UserError(
      "diffusion/measurement",
      `${name}: ${what} of ${x.length} values; expected ${length}. Use the extents the measurement was made for.`,
    );
}

/**
 * The values of an image.
 * @throws UserError `diffusion/measurement` unless the extents are positive integers.
 */
export function extentsSize(name: string, extents: ImageExtents): number {
  if (!extents.every((n) => Number.isInteger(n) && n > 0))
    throw new UserError(
      "diffusion/measurement",
      `${name}: image [${extents.join(", ")}]; expected positive integers [channels, height, width].`,
    );
  return extents[0] * extents[1] * extents[2];
}

/**
 * How many of `size` values a share is, rounded down as published.
 * @throws UserError `diffusion/measurement` unless the share is in (0, 1] and holds at least one value.
 */
export function shareCount(name: string, share: number, size: number): number {
  const count = Math.floor(share * size + 1e-9);
  if (!(share > 0 && share <= 1 && count >= 1))
    throw new UserError(
      "diffusion/measurement",
      `${name}: share ${share} of ${size} values; expected a share in (0, 1] that keeps at least one value.`,
    );
  return count;
}

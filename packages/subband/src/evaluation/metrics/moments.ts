/** @module Count, mean and scatter matrix of rows, in float64: what the Frechet distance knows of a set of images. */
import { type NamedArray, UserError } from "onnxgrad";
import { addRowProducts } from "../../linear-algebra/row-products.ts";
import { decodeDoubles, encodeDoubles } from "./doubles.ts";
import type { Metric } from "./metric.ts";

export interface Moments {
  readonly dimensions: number;
  /** Rows. */
  readonly count: number;
  /** [d]. */
  readonly mean: Float64Array;
  /** Sum of (x - mean) (x - mean)^T over the rows, [d, d], symmetric. */
  readonly scatter: Float64Array;
}

/** Rows at once: of 2,048 features, 8 MB. */
const CHUNK = 512;

/**
 * Moments of rows of `dimensions` features, in d^2 memory for any number of rows. Chan, Golub and LeVeque 1979: each part about
 * its own mean, so that nothing cancels where means are large.
 */
export function moments(dimensions: number): Metric<Moments, Moments> {
  return {
    start: () => emptyMoments(dimensions),
    add(state, rows, n) {
      requireRows(rows, n, dimensions);
      let whole = state;
      for (let first = 0; first < n; first += CHUNK) {
        const some = Math.min(CHUNK, n - first);
        const part = rows.subarray(first * dimensions, (first + some) * dimensions);
        whole = mergeMoments(whole, momentsOfChunk(part, some, dimensions));
      }
      return whole;
    },
    merge: mergeMoments,
    encode: ({ count, mean, scatter }) =>
      new Map([
        ["count", encodeDoubles(Float64Array.of(count))],
        ["mean", encodeDoubles(mean)],
        ["scatter", encodeDoubles(scatter)],
      ]),
    decode: (arrays) => decodeMoments(arrays, dimensions),
    result: (state) => state,
  };
}

/** Moments of the `n` rows, [n, d]. */
export function momentsOf(rows: Float32Array, n: number): Moments {
  const metric = moments(rows.length / n);
  return metric.add(metric.start(), rows, n);
}

/** Covariance with n - 1 below, as numpy's `cov`, [d, d]. @throws UserError `metric/few` for fewer than two rows. */
export function covariance({ count, scatter }: Moments): Float64Array {
  if (count < 2) throw new UserError("metric/few", `A covariance of ${count} images: at least 2 are needed.`);
  return scatter.map((value) => value / (count - 1));
}

/** @throws UserError `metric/size` unless `rows` is [n, d]; `metric/not-finite` when one of them is no number. */
export function requireRows(rows: Float32Array, n: number, d: number): void {
  if (rows.length !== n * d)
    throw new UserError("metric/size", `${rows.length} features; expected ${n} rows of ${d}.`);
  const bad = rows.findIndex((value) => !Number.isFinite(value));
  if (bad >= 0)
    throw new UserError(
      "metric/not-finite",
      `Feature ${bad % d} of image ${Math.floor(bad / d)} is ${rows[bad]!}: ` +
        `no distance can be told. Look at the images, and at the file that features come from.`,
    );
}

function emptyMoments(d: number): Moments {
  return { dimensions: d, count: 0, mean: new Float64Array(d), scatter: new Float64Array(d * d) };
}

function momentsOfChunk(rows: Float32Array, n: number, d: number): Moments {
  const mean = new Float64Array(d);
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) mean[j]! += rows[i * d + j]! / n;
  const centred = new Float64Array(d * n); // [d, n]
  for (let i = 0; i < n; i++) for (let j = 0; j < d; j++) centred[j * n + i] = rows[i * d + j]! - mean[j]!;
  const scatter = new Float64Array(d * d);
  const from = { data: centred, at: 0, stride: n };
  addRowProducts({ data: scatter, at: 0, stride: d }, from, from, [d, d, n], { lower: true });
  for (let i = 0; i < d; i++) for (let j = 0; j < i; j++) scatter[j * d + i] = scatter[i * d + j]!;
  return { dimensions: d, count: n, mean, scatter };
}

/** The moments of both sets together; the arrays of the larger are used again. */
function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.dimensions !== b.dimensions)
    throw new UserError(
      "metric/size",
      `Moments of ${a.dimensions} and of ${b.dimensions} features do not merge: use the same features for both.`,
    );
  if (a.count < b.count) return mergeMoments(b, a);
  if (b.count === 0) return a;
  const d = a.dimensions;
  const count = a.count + b.count;
  const weight = (a.count * b.count) / count;
  const apart = b.mean.map((value, i) => value - a.mean[i]!);
  for (let i = 0; i < d; i++) {
    for (let j = 0; j < d; j++)
      a.scatter[i * d + j]! += b.scatter[i * d + j]! + weight * (apart[i]! * apart[j]!);
    a.mean[i]! += (apart[i]! * b.count) / count;
  }
  return { ...a, count };
}

function decodeMoments(arrays: ReadonlyMap<string, NamedArray>, dimensions: number): Moments {
  const read = (name: string, length: number): Float64Array => {
    const array = arrays.get(name);
    if (array?.data.length !== 3 * length)
      throw new UserError(
        "metric/arrays",
        `Moments of ${dimensions} features: "${name}" is missing or of another size; count that part again.`,
      );
    return decodeDoubles(array);
  };
  return {
    dimensions,
    count: read("count", 1)[0]!,
    mean: read("mean", dimensions),
    scatter: read("scatter", dimensions * dimensions),
  };
}

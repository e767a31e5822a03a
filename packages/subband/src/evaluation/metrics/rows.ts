/** @module The rows of features themselves, in float32: the state of figures that need all of them at once. */
import { type NamedArray, UserError } from "onnxgrad";
import type { Metric } from "./metric.ts";
import { requireRows } from "./moments.ts";

/** Rows [count, dimensions], in order, in chunks of whole rows: count x dimensions x 4 bytes. */
export interface Rows {
  readonly dimensions: number;
  readonly count: number;
  readonly chunks: readonly Float32Array[];
}

/** `figure` of rows of `dimensions` features. Merged parts are the rows of one after those of the other, to the bit. */
export function rows<R>(dimensions: number, figure: (state: Rows) => R): Metric<Rows, R> {
  return {
    start: () => ({ dimensions, count: 0, chunks: [] }),
    add(state, data, n) {
      requireRows(data, n, dimensions);
      return n === 0 ? state : mergeRows(state, { dimensions, count: n, chunks: [data.slice()] });
    },
    merge: mergeRows,
    encode: (state) =>
      new Map([["rows", { shape: [state.count, dimensions], data: copyRows(state, 0, state.count) }]]),
    decode: (arrays) => decodeRows(arrays, dimensions),
    result: figure,
  };
}

/**
 * The `n` rows of `data`, [n, d], which is kept, not copied.
 * @throws UserError `metric/size` unless they are of one size, `metric/not-finite` when one of them is no number.
 */
export function rowsOf(data: Float32Array, n: number): Rows {
  const dimensions = data.length / n;
  requireRows(data, n, dimensions);
  return { dimensions, count: n, chunks: [data] };
}

/** Copies `count` rows from the `first` on into `into`, from its start. */
export function copyRows(
  { dimensions: d, chunks }: Rows,
  first: number,
  count: number,
  into: Float32Array = new Float32Array(count * d),
): Float32Array {
  const [from, to] = [first * d, (first + count) * d];
  let at = 0;
  for (const chunk of chunks) {
    const [start, end] = [Math.max(from - at, 0), Math.min(to - at, chunk.length)];
    if (start < end) into.set(chunk.subarray(start, end), at + start - from);
    at += chunk.length;
  }
  return into;
}

/** @throws UserError `metric/size` for different features. */
export function requireSameFeatures(a: Rows, b: Rows): void {
  if (a.dimensions !== b.dimensions)
    throw new UserError(
      "metric/size",
      `Rows of ${a.dimensions} and of ${b.dimensions} features have no distance: use the same features for both.`,
    );
}

/** @throws UserError `metric/few` for fewer than `least` rows in one of the sets; `what` needs them. */
export function requireCount(what: string, least: number, ...sets: readonly Rows[]): void {
  const few = sets.find(({ count }) => count < least);
  if (few !== undefined)
    throw new UserError("metric/few", `${what} of ${few.count} images: at least ${least} are needed.`);
}

function mergeRows(a: Rows, b: Rows): Rows {
  requireSameFeatures(a, b);
  return {
    dimensions: a.dimensions,
    count: a.count + b.count,
    chunks: [...a.chunks, ...b.chunks],
  };
}

function decodeRows(arrays: ReadonlyMap<string, NamedArray>, dimensions: number): Rows {
  const array = arrays.get("rows");
  if (array?.shape.length !== 2 || array.shape[1] !== dimensions)
    throw new UserError(
      "metric/arrays",
      `Rows of ${dimensions} features: "rows" is missing or of another size; count that part again.`,
    );
  const count = array.shape[0]!;
  requireRows(array.data, count, dimensions);
  return { dimensions, count, chunks: count === 0 ? [] : [array.data] };
}

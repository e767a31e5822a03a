/** @module What a figure of a set of rows is: counted in parts, merged, kept in files. */
import type { NamedArray } from "onnxgrad";

/**
 * A figure of a set of rows [n, d] that may be counted in parts, anywhere, in any cut: merged parts give what the whole gives.
 * A state handed to `add` or `merge` is used up: go on with the one that comes back.
 */
export interface Metric<S, R> {
  /** The state of no rows. */
  start(): S;
  /** With `n` rows more. `rows`, [n, d], is read, not kept. */
  add(state: S, rows: Float32Array, n: number): S;
  /** The state of the rows of both. */
  merge(a: S, b: S): S;
  /** For a file of a shard: `decode(encode(s))` equals s. */
  encode(state: S): ReadonlyMap<string, NamedArray>;
  /** @throws UserError `metric/arrays` when the arrays are not those of a state. */
  decode(arrays: ReadonlyMap<string, NamedArray>): S;
  /** The figure of the rows so far. @throws UserError when they are too few. */
  result(state: S): R;
}

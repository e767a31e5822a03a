/** @module A family of the importer's grid: one operator and what is varied, with short names for tensors. */
import type { Attribute, Stored } from "./onnx-cases.ts";

/** One operator, and what is varied: the cases are the product of all lists. Undefined: left out. */
export interface Family {
  readonly op: string;
  /** Distinguishes families of one operator. */
  readonly about: string;
  readonly opsets: readonly number[];
  /** Shapes of the fed input x; default one image [1,2,5,6]. */
  readonly x?: readonly (readonly number[])[];
  /** Inputs of the node after x; "" leaves one out, undefined leaves it and all others out. */
  readonly inputs?: readonly (readonly (Stored | "" | undefined)[])[];
  readonly attrs?: Readonly<Record<string, readonly (Attribute | undefined)[]>>;
  readonly outputs?: readonly number[];
  /** Where the node does not take x: stored tensors take its place. */
  readonly constant?: boolean;
  /** Values of x are not negative. */
  readonly positive?: boolean;
}

export const ints = (...values: number[]): Stored => ({ dims: [values.length], type: "int64", values });
export const int = (value: number): Stored => ({ dims: [], type: "int64", values: [value] });
export const floats = (dims: readonly number[], ...values: number[]): Stored => ({
  dims,
  values: values.length > 0 ? values : [0.3, -0.7, 1.1, 0.2, -0.4],
});
export const list = (...values: number[]): Stored => floats([values.length], ...values);
export const number = (value: number): Stored => floats([], value);
export const big = (...values: number[]) => values.map(BigInt);
export const IMAGE = [1, 2, 5, 6];
export const ALL = [7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 22];
export const flag = [undefined, 0n, 1n] as const;

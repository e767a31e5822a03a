/** @module Concrete arrays: what goes into and comes out of a graph. Row-major, no strides, no views. */
import { GraphError } from "../errors.ts";
import { type Shape, sizeOf } from "./tensor.ts";

/** A float32 array with a shape: parameters, moments, anything kept between steps. */
export interface NdArray {
  readonly shape: Shape;
  readonly data: Float32Array;
}

/**
 * Wraps values with a shape.
 * @throws GraphError when the number of values is not the product of the shape.
 */
export function ndarray(shape: Shape, data: ArrayLike<number>): NdArray {
  if (data.length !== sizeOf(shape))
    throw new GraphError(`ndarray: ${data.length} values do not fill shape [${shape.join(",")}]`);
  return { shape, data: data instanceof Float32Array ? data : Float32Array.from(data) };
}

/** An array of one repeated value. */
export function full(shape: Shape, value: number): NdArray {
  return { shape, data: new Float32Array(sizeOf(shape)).fill(value) };
}

/** A scalar array. */
export function scalar(value: number): NdArray {
  return full([], value);
}

/** Whether `value` is an {@link NdArray}. */
export function isNdArray(value: unknown): value is NdArray {
  return typeof value === "object" && value !== null && "data" in value && value.data instanceof Float32Array;
}

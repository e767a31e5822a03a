/** @module Where an element lies: strides, broadcasting by NumPy's rules, and evaluation element by element. */
import { type Shape, sizeOf, type Spec } from "../trace/tensor.ts";
import { type RefArray, shapeError } from "./define-op.ts";

/** An index that may count from the end, as one from the start. */
export const wrapped = (index: number, extent: number): number => (index < 0 ? index + extent : index);

/** The shape that `inputs` broadcast to; errors print `shown`. @throws GraphError naming both shapes. */
export function broadcastShape(
  op: string,
  inputs: readonly Spec[],
  shown: readonly Spec[] = inputs,
): number[] {
  const rank = Math.max(...inputs.map((spec) => spec.shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    let extent = 1;
    for (const { shape } of inputs) {
      const n = shape[shape.length - rank + axis] ?? 1;
      if (n === 1) continue;
      if (extent !== 1 && extent !== n)
        throw shapeError(
          op,
          `cannot broadcast ${extent} with ${n}`,
          shown,
          "Dimensions must be equal or 1, counted from the right; see reshape() and broadcastTo().",
        );
      extent = n;
    }
    return extent;
  });
}

/** Row-major strides of `shape`, in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1);
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!;
  return strides;
}

/** Calls `visit(linear index of the output, linear index into each input)` for every element of `shape`. */
export function forEachBroadcast(
  shape: Shape,
  inputs: readonly Shape[],
  visit: (at: number, from: readonly number[]) => void,
): void {
  const strides = inputs.map((input) => {
    const own = stridesOf(input);
    return shape.map((_, axis) => {
      const k = axis - (shape.length - input.length);
      return k < 0 || input[k] === 1 ? 0 : own[k]!;
    });
  });
  const index = new Array<number>(shape.length).fill(0);
  const from = new Array<number>(inputs.length).fill(0);
  const total = sizeOf(shape);
  for (let at = 0; at < total; at++) {
    for (let i = 0; i < inputs.length; i++) {
      let offset = 0;
      for (let axis = 0; axis < shape.length; axis++) offset += index[axis]! * strides[i]![axis]!;
      from[i] = offset;
    }
    visit(at, from);
    for (let axis = shape.length - 1; axis >= 0 && ++index[axis]! === shape[axis]; axis--) index[axis] = 0;
  }
}

/** Evaluates an elementwise function of broadcast inputs in float64. */
export function evaluateElementwise(
  inputs: readonly RefArray[],
  shape: Shape,
  f: (...values: number[]) => number,
): RefArray {
  const data = new Float64Array(sizeOf(shape));
  const [a, b] = inputs.map((array) => array.data);
  const isPlain = inputs.every((array) => array.data.length === data.length || array.data.length === 1);
  if (isPlain && a !== undefined && inputs.length <= 2) {
    const [first, second] = [a.length === 1 ? 0 : 1, b?.length === 1 ? 0 : 1];
    if (b === undefined) for (let i = 0; i < data.length; i++) data[i] = f(a[first * i]!);
    else for (let i = 0; i < data.length; i++) data[i] = f(a[first * i]!, b[second * i]!);
    return { shape, data };
  }
  const shapes = inputs.map((array) => array.shape);
  forEachBroadcast(shape, shapes, (at, from) => {
    data[at] = f(...inputs.map((array, i) => array.data[from[i]!]!));
  });
  return { shape, data };
}

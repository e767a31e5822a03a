/** @module What all reductions share. Reduced dimensions are kept with extent 1 or dropped. */
import { apply1, type Shape, type Spec, type Tensor } from "../trace/tensor.ts";
import { type NodeSpec, type OpDefinition, type RefArray, requireFloat, shapeError } from "./define-op.ts";
import { stridesOf } from "./index-arithmetic.ts";
import { along, PARTIAL, type PlacementRule } from "./placement.ts";
import { reshape } from "./reshape.ts";

/** Attributes of a reduction. */
export interface ReduceAttrs {
  /** Sorted, non-negative. Every reduction keeps its axes with extent 1; the public functions drop them. */
  readonly axes: readonly number[];
}

/** Elements that are reduced to one. */
export const countOf = (shape: Shape, axes: readonly number[]): number =>
  axes.reduce((n, axis) => n * shape[axis]!, 1);

/** Shape rule; `empty` says whether nothing at all has a value, as a sum has. */
export function inferReduce(
  name: string,
  { empty }: { readonly empty: boolean },
): (inputs: readonly Spec[], attrs: ReduceAttrs) => Spec[] {
  return ([x], { axes }) => {
    requireFloat(name, [x!]);
    if (axes.some((axis) => !Number.isInteger(axis) || axis < 0 || axis >= x!.shape.length))
      throw shapeError(
        name,
        `no axis ${axes.join(",")}`,
        [x!],
        `Axes run from 0 to ${x!.shape.length - 1}; negative ones count from the end.`,
      );
    if (!empty && countOf(x!.shape, axes) === 0)
      throw shapeError(name, "of no elements has no value", [x!], "Leave out what is empty.");
    return [{ shape: x!.shape.map((n, axis) => (axes.includes(axis) ? 1 : n)), dtype: "float32" }];
  };
}

/** Folds the elements that are reduced to one, from `initial` on. */
export function evaluateReduce(
  x: RefArray,
  out: Spec,
  initial: number,
  f: (acc: number, value: number) => number,
): RefArray {
  const data = new Float64Array(out.shape.reduce((n, d) => n * d, 1)).fill(initial);
  const strides = stridesOf(out.shape).map((stride, axis) => (out.shape[axis] === 1 ? 0 : stride));
  const index = new Array<number>(x.shape.length).fill(0);
  for (const value of x.data) {
    const at = strides.reduce((offset, stride, axis) => offset + stride * index[axis]!, 0);
    data[at] = f(data[at]!, value);
    for (let i = index.length - 1; i >= 0 && ++index[i]! === x.shape[i]; i--) index[i] = 0;
  }
  return { shape: out.shape, data };
}

/** One node of ONNX. */
export function lowerReduce(onnx: string): OpDefinition<ReduceAttrs>["lower"] {
  return (context, [x], { attrs }) =>
    context.emit(onnx, [x!, context.ints([...attrs.axes])], { attrs: { keepdims: 1n } });
}

/** Whether an axis stays. */
export const notReduced = (axis: number, { attrs }: NodeSpec<ReduceAttrs>): boolean =>
  !attrs.axes.includes(axis);

/** A sum, or a mean, over the sharded axis becomes partial. */
export const summed =
  (average: boolean): PlacementRule<ReduceAttrs> =>
  (node, places) =>
    places[0]!.kind === "sharded" && !notReduced(places[0]!.axis, node)
      ? { inputs: places, outputs: [PARTIAL], average }
      : along(notReduced, true)(node, places);

/** How a reduction is asked for. */
export interface ReduceOptions {
  /** Keep reduced dimensions with extent 1; default false. */
  readonly keepDims?: boolean;
}

/** Reduces over `axes` (all when omitted; negative ones count from the end). */
export type Reduction = (x: Tensor, axes?: readonly number[], options?: ReduceOptions) => Tensor;

/** The function that reduces by `op`. */
export function reducer(op: OpDefinition<ReduceAttrs>): Reduction {
  return (x, axes, { keepDims = false } = {}) => {
    const all = [
      ...new Set((axes ?? x.shape.map((_, i) => i)).map((axis) => (axis < 0 ? axis + x.rank : axis))),
    ].sort((a, b) => a - b);
    if (all.length === 0) return x;
    const kept = apply1(op, [x], { axes: all });
    return keepDims
      ? kept
      : reshape(
          kept,
          x.shape.filter((_, axis) => !all.includes(axis)),
        );
  };
}

/** @module Reductions over axes: sum, mean, max, min. Reduced dimensions are kept with extent 1 or dropped. */
import { apply1, type Shape, type Spec, type Tensor } from "../trace/tensor.ts";
import { broadcastTo, stridesOf } from "./broadcast.ts";
import { cast, equal } from "./compare.ts";
import {
  defineOp,
  inRange,
  type LowerContext,
  type NodeSpec,
  type OpDefinition,
  type RefArray,
  requireFloat,
  shapeError,
} from "./define-op.ts";
import { div, larger, mul, smaller } from "./arithmetic.ts";
import { emit1 } from "./emit.ts";
import { along, PARTIAL, type PlacementRule } from "./placement.ts";
import { reshape } from "./reshape.ts";

interface ReduceAttrs {
  /** Sorted, non-negative. Every reduction keeps its axes with extent 1; the public functions drop them. */
  readonly axes: readonly number[];
}

const countOf = (shape: Shape, axes: readonly number[]) => axes.reduce((n, axis) => n * shape[axis]!, 1);

/** Shape rule; `empty` says whether nothing at all has a value, as a sum has. */
function inferReduce(
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

function evaluateReduce(
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

function lowerReduce(onnx: string): OpDefinition<ReduceAttrs>["lower"] {
  return (context, [x], { attrs }) =>
    context.emit(onnx, [x!, context.ints([...attrs.axes])], { attrs: { keepdims: 1n } });
}

/** ONNX Runtime's kernel for CPUs finds a NaN or not, by where it stands among the elements. */
function lowerExtremum(onnx: string): OpDefinition<ReduceAttrs>["lower"] {
  const plain = lowerReduce(onnx);
  return (context, inputs, node) => {
    const found = plain(context, inputs, node);
    if (context.processor !== "cpu") return found;
    const axes = context.ints([...node.attrs.axes]);
    return [
      withNaNs(context, found[0]!, inputs[0]!, (value) =>
        emit1(context, "ReduceMean", [value, axes], { attrs: { keepdims: 1n } }),
      ),
    ];
  };
}

/**
 * `found`, but NaN wherever any of the elements of `x` that it was found among is, of which `mean` gives the mean. What is
 * averaged lies between 1 and 2, and is subtracted as zero, so that -0 stays.
 */
export function withNaNs(
  context: LowerContext,
  found: string,
  x: string,
  mean: (value: string) => string,
): string {
  const limited = emit1(context, "Clip", [x, context.floats([], [1]), context.floats([], [2])]);
  const zero = emit1(context, "Mul", [mean(limited), context.floats([], [0])]);
  return emit1(context, "Sub", [found, zero]);
}

const notReduced = (axis: number, { attrs }: NodeSpec<ReduceAttrs>) => !attrs.axes.includes(axis);

/** A sum, or a mean, over the sharded axis becomes partial. */
const summed =
  (average: boolean): PlacementRule<ReduceAttrs> =>
  (node, places) =>
    places[0]!.kind === "sharded" && !notReduced(places[0]!.axis, node)
      ? { inputs: places, outputs: [PARTIAL], average }
      : along(notReduced, true)(node, places);

export const sumOp: OpDefinition<ReduceAttrs> = defineOp<ReduceAttrs>({
  name: "sum",
  infer: inferReduce("sum", { empty: true }),
  vjp: ({ grad, inputs }) => [broadcastTo(grad, inputs[0]!.shape)],
  lower: lowerReduce("ReduceSum"),
  evaluate: ([x], _, [out]) => [evaluateReduce(x!, out!, 0, (a, b) => a + b)],
  place: summed(false),
  macs: null,
  traits: {},
});

export const meanOp: OpDefinition<ReduceAttrs> = defineOp<ReduceAttrs>({
  name: "mean",
  infer: inferReduce("mean", { empty: false }),
  vjp: ({ grad, inputs, attrs }) => [
    broadcastTo(mul(grad, 1 / countOf(inputs[0]!.shape, attrs.axes)), inputs[0]!.shape),
  ],
  lower: lowerReduce("ReduceMean"),
  evaluate([x], { axes }, [out]) {
    const total = evaluateReduce(x!, out!, 0, (a, b) => a + b);
    return [
      { shape: total.shape, data: total.data.map((value) => inRange(value) / countOf(x!.shape, axes)) },
    ];
  },
  place: summed(true),
  macs: null,
  traits: {},
});

/** Gradient of an extremum: shared equally among the elements that reach it. */
const extremumVjp: NonNullable<OpDefinition<ReduceAttrs>["vjp"]> = ({ grad, inputs, outputs, attrs }) => {
  const hit = cast(equal(inputs[0]!, outputs[0]!), "float32");
  return [mul(hit, div(grad, apply1(sumOp, [hit], attrs)))];
};

export const maxOp: OpDefinition<ReduceAttrs> = defineOp<ReduceAttrs>({
  name: "max",
  infer: inferReduce("max", { empty: false }),
  vjp: extremumVjp,
  lower: lowerExtremum("ReduceMax"),
  evaluate: ([x], _, [out]) => [evaluateReduce(x!, out!, -Infinity, (most, value) => larger(value, most))],
  place: along(notReduced),
  macs: null,
  traits: {},
});

export const minOp: OpDefinition<ReduceAttrs> = defineOp<ReduceAttrs>({
  name: "min",
  infer: inferReduce("min", { empty: false }),
  vjp: extremumVjp,
  lower: lowerExtremum("ReduceMin"),
  evaluate: ([x], _, [out]) => [evaluateReduce(x!, out!, Infinity, (least, value) => smaller(value, least))],
  place: along(notReduced),
  macs: null,
  traits: {},
});

/** How a reduction is asked for. */
export interface ReduceOptions {
  /** Keep reduced dimensions with extent 1; default false. */
  readonly keepDims?: boolean;
}

function reducer(
  op: OpDefinition<ReduceAttrs>,
): (x: Tensor, axes?: readonly number[], options?: ReduceOptions) => Tensor {
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

/** Reduces over `axes` (all when omitted; negative ones count from the end). */
export type Reduction = (x: Tensor, axes?: readonly number[], options?: ReduceOptions) => Tensor;

/** Sum over axes. */
export const sum: Reduction = reducer(sumOp);
/** Arithmetic mean over axes. */
export const mean: Reduction = reducer(meanOp);
/** Largest element over axes; the gradient is shared equally among ties. */
export const max: Reduction = reducer(maxOp);
/** Smallest element over axes; the gradient is shared equally among ties. */
export const min: Reduction = reducer(minOp);

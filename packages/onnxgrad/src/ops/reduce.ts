/** @module Mean and extrema over axes. */
import { apply1 } from "../trace/tensor.ts";
import { div, larger, mul, smaller } from "./arithmetic.ts";
import { cast, equal } from "./compare.ts";
import { defineOp, inRange, type LowerContext, type OpDefinition } from "./define-op.ts";
import { emit1 } from "./emit.ts";
import { along } from "./placement.ts";
import {
  countOf,
  evaluateReduce,
  inferReduce,
  lowerReduce,
  notReduced,
  type ReduceAttrs,
  reducer,
  type Reduction,
  summed,
} from "./reduction.ts";
import { broadcastTo, sumOp } from "./sum.ts";

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

/** Arithmetic mean over axes. */
export const mean: Reduction = reducer(meanOp);
/** Largest element over axes; the gradient is shared equally among ties. */
export const max: Reduction = reducer(maxOp);
/** Smallest element over axes; the gradient is shared equally among ties. */
export const min: Reduction = reducer(minOp);

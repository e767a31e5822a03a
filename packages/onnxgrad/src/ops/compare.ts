/** @module Comparisons, casts and selection: the operations that make or consume bool and int64 tensors. */
import { apply1, type DType, sameShape, type Tensor } from "../trace/tensor.ts";
import { broadcastShape, evaluateElementwise, wrapped } from "./index-arithmetic.ts";
import { defineOp, type NoAttrs, type OpDefinition, requireFloat, shapeError } from "./define-op.ts";
import { along, elementwise } from "./placement.ts";
import { constant, lift } from "./source.ts";

function comparison(
  name: string,
  onnx: string,
  evaluate: (a: number, b: number) => boolean,
): OpDefinition<NoAttrs> {
  return defineOp<NoAttrs>({
    name,
    infer(inputs) {
      if (inputs[0]!.dtype !== inputs[1]!.dtype)
        throw shapeError(name, "compares different types", inputs, "Convert with cast().");
      return [{ shape: broadcastShape(name, inputs), dtype: "bool" }];
    },
    vjp: null,
    lower: (context, inputs) => context.emit(onnx, inputs),
    evaluate: (inputs, _, [out]) => [
      evaluateElementwise(inputs, out!.shape, (a, b) => Number(evaluate(a!, b!))),
    ],
    place: elementwise,
    macs: null,
    traits: { elementwise: true, cheap: true },
  });
}

export const equalOp: OpDefinition<NoAttrs> = comparison("equal", "Equal", (a, b) => a === b);
export const lessOp: OpDefinition<NoAttrs> = comparison("less", "Less", (a, b) => a < b);
export const greaterOp: OpDefinition<NoAttrs> = comparison("greater", "Greater", (a, b) => a > b);
export const lessEqualOp: OpDefinition<NoAttrs> = comparison("lessEqual", "LessOrEqual", (a, b) => a <= b);
export const greaterEqualOp: OpDefinition<NoAttrs> = comparison(
  "greaterEqual",
  "GreaterOrEqual",
  (a, b) => a >= b,
);

type Operand = Tensor | number;
function compare(op: OpDefinition<NoAttrs>, a: Operand, b: Operand): Tensor {
  return apply1(op, [lift(a), lift(b)], {});
}
/** a == b, as bool. */
export function equal(a: Operand, b: Operand): Tensor {
  return compare(equalOp, a, b);
}
/** a < b, as bool. */
export function less(a: Operand, b: Operand): Tensor {
  return compare(lessOp, a, b);
}
/** a > b, as bool. */
export function greater(a: Operand, b: Operand): Tensor {
  return compare(greaterOp, a, b);
}
/** a <= b, as bool. */
export function lessEqual(a: Operand, b: Operand): Tensor {
  return compare(lessEqualOp, a, b);
}
/** a >= b, as bool. */
export function greaterEqual(a: Operand, b: Operand): Tensor {
  return compare(greaterEqualOp, a, b);
}

interface CastAttrs {
  readonly to: DType;
}

/** Element types as ONNX numbers them. */
export const ONNX_TYPE: Readonly<Record<DType, bigint>> = { float32: 1n, uint8: 2n, int64: 7n, bool: 9n };

/** Conversion of element type; gradients pass between floats only. */
export const castOp: OpDefinition<CastAttrs> = defineOp<CastAttrs>({
  name: "cast",
  infer: ([x], { to }) => [{ shape: x!.shape, dtype: to }],
  vjp: null,
  lower: (context, [x], { attrs }) => context.emit("Cast", [x!], { attrs: { to: ONNX_TYPE[attrs.to] } }),
  evaluate: ([x], { to }) => [
    {
      shape: x!.shape,
      // Whole numbers know no -0.
      data: x!.data.map((v) => (to === "bool" ? Number(v !== 0) : to === "float32" ? v : Math.trunc(v) + 0)),
    },
  ],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true },
});

/** Converts the element type: bool to 0/1, float to int64 or uint8 by truncation. For uint8, clamp to 0..255 first. */
export function cast(x: Tensor, to: DType): Tensor {
  return x.dtype === to ? x : apply1(castOp, [x], { to });
}

/** Elementwise choice. */
export const whereOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "where",
  infer(inputs) {
    const [condition, a, b] = inputs;
    if (condition!.dtype !== "bool")
      throw shapeError("where", "needs a bool condition", inputs, "Compare first, e.g. greater(x, 0).");
    requireFloat("where", [a!, b!]);
    return [{ shape: broadcastShape("where", inputs), dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [condition], needs }) => [
    null,
    needs[1] ? where(condition!, grad, 0) : null,
    needs[2] ? where(condition!, 0, grad) : null,
  ],
  lower: (context, inputs) => context.emit("Where", inputs),
  evaluate: (inputs, _, [out]) => [evaluateElementwise(inputs, out!.shape, (c, a, b) => (c !== 0 ? a! : b!))],
  place: elementwise,
  macs: null,
  traits: { elementwise: true, cheap: true },
});

/** `condition ? a : b`, element by element, with broadcasting. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  return apply1(whereOp, [condition, lift(a), lift(b)], {});
}

interface OneHotAttrs {
  readonly depth: number;
}

/** Integers to indicator vectors along a new last axis; negative ones count from the end, zeros stand for those beyond. */
export const oneHotOp: OpDefinition<OneHotAttrs> = defineOp<OneHotAttrs>({
  name: "oneHot",
  infer([x], { depth }) {
    if (x!.dtype !== "int64")
      throw shapeError("oneHot", "takes int64 labels", [x!], 'Convert with cast(x, "int64").');
    return [{ shape: [...x!.shape, depth], dtype: "float32" }];
  },
  vjp: null,
  lower(context, [x], { attrs: { depth }, inputs: [spec] }) {
    // ONNX wants at least one axis of labels.
    const scalar = spec!.shape.length === 0;
    const labels = scalar ? context.emit("Reshape", [x!, context.shape([1])])[0]! : x!;
    const made = context.emit("OneHot", [labels, context.ints(depth), context.floats([2], [0, 1])], {
      attrs: { axis: -1n },
    });
    return scalar ? context.emit("Reshape", [made[0]!, context.shape([depth])]) : made;
  },
  evaluate([x], { depth }, [out]) {
    const data = new Float64Array(x!.data.length * depth);
    x!.data.forEach((label, i) => {
      if (label >= -depth && label < depth) data[i * depth + wrapped(label, depth)] = 1;
    });
    return [{ shape: out!.shape, data }];
  },
  place: along(() => true),
  macs: null,
  traits: {},
});

/**
 * Indicator vectors of int64 labels in 0..depth-1 along a new last axis. Negative labels down to -depth count from the end; one
 * beyond gives zeros.
 */
export function oneHot(labels: Tensor, depth: number): Tensor {
  return apply1(oneHotOp, [labels], { depth });
}

/** The same value, through which no gradient passes. */
export const stopGradientOp: OpDefinition<NoAttrs> = defineOp<NoAttrs>({
  name: "stopGradient",
  infer: ([x]) => [{ shape: x!.shape, dtype: x!.dtype }],
  vjp: null,
  lower: (_, inputs) => inputs,
  evaluate: ([x]) => [x!],
  place: along(() => true, true),
  macs: null,
  traits: { elementwise: true, handsOn: true },
});

/** The same value, held constant by differentiation. */
export function stopGradient(x: Tensor): Tensor {
  return apply1(stopGradientOp, [x], {});
}

/** A tensor of ones with the shape of `x`. */
export function onesLike(x: Tensor): Tensor {
  return constant(new Float64Array(x.size).fill(1), sameShape(x.shape, []) ? [] : x.shape);
}

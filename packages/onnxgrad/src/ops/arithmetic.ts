/** @module Elementwise arithmetic of two tensors with NumPy broadcasting. Bare numbers are scalars. */
import { apply1, type Spec, type Tensor } from "../trace/tensor.ts";
import { cast, less, lessEqual } from "./compare.ts";
import {
  defineOp,
  type NoAttrs,
  type OpDefinition,
  requireFloat,
  type Traits,
  type VjpContext,
} from "./define-op.ts";
import { broadcastShape, evaluateElementwise } from "./index-arithmetic.ts";
import { elementwise, every, linear, PARTIAL, type PlacementRule } from "./placement.ts";
import { lift } from "./source.ts";

/** Summands may be partial all together. */
const sumLike: PlacementRule<NoAttrs> = (node, places) =>
  every(places, "partial") ? { inputs: places, outputs: [PARTIAL] } : elementwise(node, places);

/** One factor may be partial. */
const product: PlacementRule<NoAttrs> = (node, places) => linear(node, places) ?? elementwise(node, places);

/** The dividend may be partial, the divisor not. */
const quotient: PlacementRule<NoAttrs> = (node, places) =>
  (places[1]!.kind === "replicated" ? linear(node, places) : undefined) ?? elementwise(node, places);

/** An operation of two tensors that broadcast together, and one node of ONNX. */
export function binary(
  name: string,
  onnx: string,
  evaluate: (a: number, b: number) => number,
  vjp: (
    context: VjpContext<NoAttrs> & { a: Tensor; b: Tensor; y: Tensor },
  ) => readonly [() => Tensor, () => Tensor],
  place: PlacementRule<NoAttrs>,
  traits: Omit<Traits, "elementwise">,
): OpDefinition<NoAttrs> {
  return defineOp<NoAttrs>({
    name,
    infer(inputs): Spec[] {
      requireFloat(name, inputs);
      return [{ shape: broadcastShape(name, inputs), dtype: "float32" }];
    },
    vjp(context) {
      const [a, b] = context.inputs as [Tensor, Tensor];
      const rules = vjp({ ...context, a, b, y: context.outputs[0]! });
      return rules.map((rule, i) => (context.needs[i] ? rule() : null));
    },
    lower: (context, inputs) => context.emit(onnx, inputs),
    evaluate: (inputs, _, [out]) => [
      evaluateElementwise(inputs, out!.shape, evaluate as (...v: number[]) => number),
    ],
    place,
    macs: null,
    traits: { elementwise: true, ...traits },
  });
}

export const addOp: OpDefinition<NoAttrs> = binary(
  "add",
  "Add",
  (a, b) => a + b,
  ({ grad }) => [() => grad, () => grad],
  sumLike,
  { cheap: true, overwrites: true, neutral: 0 },
);
export const subOp: OpDefinition<NoAttrs> = binary(
  "sub",
  "Sub",
  (a, b) => a - b,
  ({ grad }) => [() => grad, () => mul(grad, -1)],
  sumLike,
  { cheap: true, overwrites: true, neutral: 0 },
);
export const mulOp: OpDefinition<NoAttrs> = binary(
  "mul",
  "Mul",
  (a, b) => a * b,
  ({ grad, a, b }) => [() => mul(grad, b), () => mul(grad, a)],
  product,
  { cheap: true, overwrites: true, neutral: 1 },
);
export const divOp: OpDefinition<NoAttrs> = binary(
  "div",
  "Div",
  (a, b) => a / b,
  ({ grad, b, y }) => [() => div(grad, b), () => mul(mul(grad, -1), div(y, b))],
  quotient,
  { cheap: true, overwrites: true, neutral: 1 },
);
/** The larger of two; at ties the second, as ONNX Runtime has it, which tells 0 from -0; NaN when either is. */
export function larger(a: number, b: number): number {
  return a > b || Number.isNaN(a) ? a : b;
}
/** The smaller of two; at ties the second, NaN when either is. */
export function smaller(a: number, b: number): number {
  return a < b || Number.isNaN(a) ? a : b;
}
/** 1 unless a has lost to b, 1/2 at ties: an extremum that is NaN passes its gradient to both. */
const kept = (lost: Tensor, lostOrTied: Tensor): Tensor =>
  sub(1, mul(add(cast(lost, "float32"), cast(lostOrTied, "float32")), 0.5));
export const maximumOp: OpDefinition<NoAttrs> = binary(
  "maximum",
  "Max",
  larger,
  ({ grad, a, b }) => [
    () => mul(grad, kept(less(a, b), lessEqual(a, b))),
    () => mul(grad, kept(less(b, a), lessEqual(b, a))),
  ],
  elementwise,
  { cheap: true, overwrites: true },
);
export const minimumOp: OpDefinition<NoAttrs> = binary(
  "minimum",
  "Min",
  smaller,
  ({ grad, a, b }) => [
    () => mul(grad, kept(less(b, a), lessEqual(b, a))),
    () => mul(grad, kept(less(a, b), lessEqual(a, b))),
  ],
  elementwise,
  { cheap: true, overwrites: true },
);

/** A tensor, or a number for a scalar. */
export type Operand = Tensor | number;
const apply2 = (op: OpDefinition<NoAttrs>, a: Operand, b: Operand) => apply1(op, [lift(a), lift(b)], {});

/** a + b. */
export function add(a: Operand, b: Operand): Tensor {
  return apply2(addOp, a, b);
}
/** a - b. */
export function sub(a: Operand, b: Operand): Tensor {
  return apply2(subOp, a, b);
}
/** a * b. */
export function mul(a: Operand, b: Operand): Tensor {
  return apply2(mulOp, a, b);
}
/** a / b; division by a number becomes multiplication by its reciprocal, where float32 can hold that. */
export function div(a: Operand, b: Operand): Tensor {
  return typeof b === "number" && isOrdinary(1 / b) ? apply2(mulOp, a, 1 / b) : apply2(divOp, a, b);
}
/** The larger of a and b, element by element; at ties each gets half the gradient. */
export function maximum(a: Operand, b: Operand): Tensor {
  return apply2(maximumOp, a, b);
}
/** The smaller of a and b, element by element; at ties each gets half the gradient. */
export function minimum(a: Operand, b: Operand): Tensor {
  return apply2(minimumOp, a, b);
}
/** x * x. */
export function square(x: Tensor): Tensor {
  return mul(x, x);
}

/** The smallest magnitude that float32 holds with full precision. */
const SMALLEST = 2 ** -126;
/** The largest number of float32. */
export const LARGEST: number = (2 - 2 ** -23) * 2 ** 127;

/** Whether float32 holds a number to full precision: it is neither 0 nor denormal, nor infinite. */
export function isOrdinary(value: number): boolean {
  return Math.abs(value) >= SMALLEST && Math.abs(value) <= LARGEST;
}

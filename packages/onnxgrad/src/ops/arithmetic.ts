/** @module Elementwise arithmetic of two tensors with NumPy broadcasting. Bare numbers are scalars. */
import { apply1, type Spec, type Tensor } from "../trace/tensor.ts";
import { broadcastShape, evaluateElementwise } from "./broadcast.ts";
import { cast, equal, greater } from "./compare.ts";
import { defineOp, type OpDefinition, requireFloat, type VjpContext } from "./define-op.ts";
import { log } from "./elementary.ts";
import { lift, scalarValue } from "./source.ts";

/** Operations without attributes. */
export type NoAttrs = Readonly<Record<string, never>>;

function binary(
  name: string,
  onnx: string,
  evaluate: (a: number, b: number) => number,
  vjp: (
    context: VjpContext<NoAttrs> & { a: Tensor; b: Tensor; y: Tensor },
  ) => readonly [() => Tensor, () => Tensor],
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
  });
}

export const addOp: OpDefinition<NoAttrs> = binary(
  "add",
  "Add",
  (a, b) => a + b,
  ({ grad }) => [() => grad, () => grad],
);
export const subOp: OpDefinition<NoAttrs> = binary(
  "sub",
  "Sub",
  (a, b) => a - b,
  ({ grad }) => [() => grad, () => mul(grad, -1)],
);
export const mulOp: OpDefinition<NoAttrs> = binary(
  "mul",
  "Mul",
  (a, b) => a * b,
  ({ grad, a, b }) => [() => mul(grad, b), () => mul(grad, a)],
);
export const divOp: OpDefinition<NoAttrs> = binary(
  "div",
  "Div",
  (a, b) => a / b,
  ({ grad, b, y }) => [() => div(grad, b), () => mul(mul(grad, -1), div(y, b))],
);
export const powOp: OpDefinition<NoAttrs> = binary(
  "pow",
  "Pow",
  (a, b) => a ** b,
  ({ grad, a, b, y }) => [() => mul(grad, mul(b, pow(a, sub(b, 1)))), () => mul(grad, mul(y, log(a)))],
);
/** Share of the gradient of an extremum that goes to the first input: 1, or 1/2 at ties. */
const firstShare = (won: Tensor, tie: Tensor) => add(cast(won, "float32"), mul(cast(tie, "float32"), 0.5));
export const maximumOp: OpDefinition<NoAttrs> = binary("maximum", "Max", Math.max, ({ grad, a, b }) => [
  () => mul(grad, firstShare(greater(a, b), equal(a, b))),
  () => mul(grad, firstShare(greater(b, a), equal(a, b))),
]);
export const minimumOp: OpDefinition<NoAttrs> = binary("minimum", "Min", Math.min, ({ grad, a, b }) => [
  () => mul(grad, firstShare(greater(b, a), equal(a, b))),
  () => mul(grad, firstShare(greater(a, b), equal(a, b))),
]);

type Operand = Tensor | number;
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
/** a / b; division by a number becomes multiplication by its reciprocal. */
export function div(a: Operand, b: Operand): Tensor {
  return typeof b === "number" ? apply2(mulOp, a, 1 / b) : apply2(divOp, a, b);
}
/** a to the power b; the gradient with respect to b needs a > 0. */
export function pow(a: Operand, b: Operand): Tensor {
  const exponent = typeof b === "number" ? b : scalarValue(b);
  if (exponent === 1) return lift(a);
  if (exponent === 2) return mul(a, a);
  return apply2(powOp, a, b);
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
/** Limits x to [low, high]; the gradient is passed inside the interval, by half at its ends. */
export function clamp(x: Tensor, low: number, high: number): Tensor {
  return minimum(maximum(x, low), high);
}

/** @module Arithmetic that need not be done: x * 1, x + 0, x - 0, products of constants, additions of negations. */
import { isOrdinary, mul, sub } from "../ops/arithmetic.ts";
import { scalarValue } from "../ops/source.ts";
import { sameShape, type Tensor } from "../trace/tensor.ts";
import type { Rule } from "./rewrite.ts";

/** [tensor, scalar constant] of a commutative node, in either order. */
function withScalar(inputs: readonly Tensor[]): [Tensor, number] | undefined {
  const [a, b] = inputs as [Tensor, Tensor];
  const right = scalarValue(b);
  if (right !== undefined) return [a, right];
  const left = scalarValue(a);
  return left === undefined ? undefined : [b, left];
}

/** Whether the product of two factors has their effect: it is neither lost nor infinite where one after the other is not. */
const mayJoin = (a: number, b: number): boolean => (a * b === 0 ? a === 0 || b === 0 : isOrdinary(a * b));

export const arithmeticIdentities: Rule = (node, inputs) => {
  const shape = node.outputs[0]!.shape;
  const keep = (x: Tensor) => (sameShape(x.shape, shape) ? [x] : undefined);
  switch (node.op.name) {
    case "mul": {
      const found = withScalar(inputs);
      if (found === undefined) return undefined;
      const [x, factor] = found;
      if (factor === 1) return keep(x);
      const inner = x.node.op.name === "mul" ? withScalar(x.node.inputs) : undefined;
      return inner !== undefined && mayJoin(inner[1], factor)
        ? [mul(inner[0], inner[1] * factor)]
        : undefined;
    }
    case "add": {
      const found = withScalar(inputs);
      if (found?.[1] === 0) return keep(found[0]);
      const [a, b] = inputs as [Tensor, Tensor];
      const negated = (x: Tensor) => (x.node.op.name === "mul" ? withScalar(x.node.inputs) : undefined);
      const right = negated(b);
      if (right?.[1] === -1) return [sub(a, right[0])];
      const left = negated(a);
      return left?.[1] === -1 ? [sub(b, left[0])] : undefined;
    }
    case "sub":
      return scalarValue(inputs[1]!) === 0 ? keep(inputs[0]!) : undefined;
    default:
      return undefined;
  }
};

/**
 * @module Reverse-mode differentiation: one walk from the loss to the inputs. Gradients are ordinary graph, so they can
 * be differentiated again, optimised and compiled like anything else.
 */
import { GraphError } from "../errors.ts";
import { add } from "../ops/arithmetic.ts";
import { broadcastTo, sumTo } from "../ops/sum.ts";
import { onesLike } from "../ops/compare.ts";
import { constant } from "../ops/source.ts";
import { scope } from "../trace/scope.ts";
import { formatSpec, reachable, sameShape, Tensor } from "../trace/tensor.ts";
import { type Mapped, treeLeaves, treeMap } from "../trace/tree.ts";

const isTensor = (value: unknown): value is Tensor => value instanceof Tensor;

/**
 * d(output)/d(each of `wrt`), each with the shape of its tensor; zeros where the output does not depend on it.
 * `cotangent` weights the elements of an output that is no scalar.
 * @throws GraphError when the output is no scalar and no cotangent is given.
 */
export function gradients(output: Tensor, wrt: readonly Tensor[], cotangent?: Tensor): Tensor[] {
  if (cotangent === undefined && output.size !== 1)
    throw new GraphError(
      `gradients: output ${formatSpec(output)} is no scalar. Reduce it with sum() or mean(), or give a cotangent.`,
    );
  if (cotangent !== undefined && !sameShape(cotangent.shape, output.shape))
    throw new GraphError(
      `gradients: cotangent ${formatSpec(cotangent)} for output ${formatSpec(output)}. Give one weight an element.`,
    );
  const nodes = reachable([output]);
  const targets = new Set(wrt);
  const dependent = new Set<Tensor>(wrt);
  for (const node of nodes) {
    const carries = node.op.vjp !== null && node.inputs.some((input) => dependent.has(input));
    if (carries) for (const tensor of node.outputs) if (tensor.dtype === "float32") dependent.add(tensor);
  }

  const grads = new Map<Tensor, Tensor>();
  if (dependent.has(output)) grads.set(output, cotangent ?? onesLike(output));
  for (const node of nodes.reverse()) {
    const { vjp } = node.op;
    const needs = node.inputs.map((input) => dependent.has(input));
    const outputGrads = node.outputs.map((tensor) => grads.get(tensor));
    if (vjp === null || !needs.includes(true) || outputGrads.every((grad) => grad === undefined)) continue;
    scope(node.path === "" ? "grad" : `grad(${node.path})`, () => {
      const inputGrads = vjp({
        inputs: node.inputs,
        outputs: node.outputs,
        attrs: node.attrs,
        grads: outputGrads,
        grad: (outputGrads[0] ?? outputGrads.find((grad) => grad !== undefined))!,
        needs,
      });
      node.inputs.forEach((input, i) => {
        const grad = inputGrads[i];
        if (!needs[i] || grad === null || grad === undefined) return;
        const own = sumTo(grad, input.shape);
        const before = grads.get(input);
        grads.set(input, before === undefined ? own : add(before, own));
      });
    });
    // Free what nobody asks for any more; interior targets keep theirs.
    for (const tensor of node.outputs) if (!targets.has(tensor)) grads.delete(tensor);
  }
  return wrt.map((tensor) => {
    const grad = grads.get(tensor);
    // A gradient may still be a broadcast of itself (sum's rule): give it its own shape.
    return grad === undefined ? broadcastTo(constant(0), tensor.shape) : broadcastTo(grad, tensor.shape);
  });
}

/** A function's value, whatever else it returned, and the gradients in the structure of its parameters. */
export interface ValueAndGrad<P, A> {
  readonly value: Tensor;
  readonly grads: Mapped<P, Tensor, Tensor>;
  readonly aux: A;
}

/**
 * Wraps a scalar loss over a parameter tree into a function that also gives the gradient tree. The loss may return
 * `{ loss, ...aux }` to hand further tensors out.
 *
 * @example
 * const { value, grads } = valueAndGrad((p) => mean(square(sub(model(p, x), target))))(state.params);
 */
export function valueAndGrad<P, R extends Tensor | { readonly loss: Tensor }>(
  loss: (params: P) => R,
): (params: P) => ValueAndGrad<P, R> {
  return (params) => {
    const result = loss(params);
    const value = isTensor(result) ? result : result.loss;
    const leaves = treeLeaves<Tensor>(params as never, isTensor).map(({ leaf }) => leaf);
    const found = gradients(value, leaves);
    let next = 0;
    return { value, grads: treeMap(params, isTensor, () => found[next++]!), aux: result };
  };
}

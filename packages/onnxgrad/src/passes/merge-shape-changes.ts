/** @module Merges consecutive reshapes, cancels consecutive transposes, and drops those that change nothing. */
import { reshape, transpose } from "../ops/reshape.ts";
import type { Rule } from "./rewrite.ts";

export const mergeShapeChanges: Rule = (node, inputs) => {
  const [x] = inputs;
  if (node.op.name === "reshape") {
    const source = x!.node.op.name === "reshape" ? x!.node.inputs[0]! : x!;
    return source === x && source.shape.join() !== node.outputs[0]!.shape.join()
      ? undefined
      : [reshape(source, node.outputs[0]!.shape)];
  }
  if (node.op.name === "transpose" && x!.node.op.name === "transpose") {
    const outer = (node.attrs as { permutation: readonly number[] }).permutation;
    const inner = (x!.node.attrs as { permutation: readonly number[] }).permutation;
    return [
      transpose(
        x!.node.inputs[0]!,
        outer.map((axis) => inner[axis]!),
      ),
    ];
  }
  return undefined;
};

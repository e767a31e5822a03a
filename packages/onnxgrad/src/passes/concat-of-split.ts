/**
 * @module Concat of all parts of a split is the split tensor, and split of a concat gives its parts. Packed parameters
 * are split where a step begins and concatenated where it ends; an optimiser on the flat buffer meets neither.
 */
import { sameShape, type Tensor } from "../trace/tensor.ts";
import type { Rule } from "./rewrite.ts";

/** A reshape is looked through when concat flattens the parts that split had flattened. */
const flat = (x: Tensor) =>
  x.node.op.name === "reshape" && x.rank === 1 && x.node.inputs[0]!.node.op.name === "split"
    ? x.node.inputs[0]!
    : x;

export const concatOfSplit: Rule = (node, inputs) => {
  const axis = (node.attrs as { axis?: number }).axis;
  if (node.op.name === "concat") {
    const parts = inputs.map(flat);
    const { node: source } = parts[0]!;
    const whole =
      source.op.name === "split" &&
      (source.attrs as { axis: number }).axis === axis &&
      source.outputs.length === parts.length &&
      parts.every((part, i) => part.node === source && part.index === i);
    return whole && sameShape(source.inputs[0]!.shape, node.outputs[0]!.shape)
      ? [source.inputs[0]!]
      : undefined;
  }
  if (node.op.name === "split") {
    const { node: source } = inputs[0]!;
    const matches =
      source.op.name === "concat" &&
      (source.attrs as { axis: number }).axis === axis &&
      source.inputs.length === node.outputs.length &&
      source.inputs.every((part, i) => sameShape(part.shape, node.outputs[i]!.shape));
    return matches ? source.inputs : undefined;
  }
  return undefined;
};

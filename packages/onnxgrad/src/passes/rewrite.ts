/** @module The machinery of graph rewriting: a rule looks at one node with its rewritten inputs and may replace it. */
import { atOnce } from "../slices.ts";
import { apply, type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";
import { scope } from "../trace/scope.ts";

/** Gives replacements for the node's outputs, or undefined to keep it. `inputs` are the node's inputs, already rewritten. */
export type Rule = (node: GraphNode, inputs: readonly Tensor[]) => readonly Tensor[] | undefined;

/** The outputs of the node with these inputs: its own where they are its own. */
export function withInputs(
  { op, attrs, inputs: own, outputs }: GraphNode,
  inputs: readonly Tensor[],
): readonly Tensor[] {
  return inputs.every((input, i) => input === own[i]) ? outputs : apply(op, inputs, attrs);
}

/** Rewrites everything that `outputs` depend on, in topological order, and returns the outputs' replacements. */
export function rewrite(outputs: readonly Tensor[], rule: Rule): Tensor[] {
  return atOnce(rewriting(outputs, rule));
}

/** {@link rewrite} in pieces, a node each. */
export function* rewriting(outputs: readonly Tensor[], rule: Rule): Generator<void, Tensor[]> {
  const replaced = new Map<Tensor, Tensor>();
  for (const node of reachable(outputs)) {
    const inputs = node.inputs.map((input) => replaced.get(input) ?? input);
    const next = scope(node.path, () => rule(node, inputs) ?? withInputs(node, inputs));
    node.outputs.forEach((tensor, i) => replaced.set(tensor, next[i]!));
    yield;
  }
  return outputs.map((tensor) => replaced.get(tensor) ?? tensor);
}

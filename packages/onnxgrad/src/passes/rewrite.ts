/** @module The machinery of graph rewriting: a rule looks at one node with its rewritten inputs and may replace it. */
import { apply, type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";
import { scope } from "../trace/scope.ts";

/** Gives replacements for the node's outputs, or undefined to keep it. `inputs` are the node's inputs, already rewritten. */
export type Rule = (node: GraphNode, inputs: readonly Tensor[]) => readonly Tensor[] | undefined;

/** Rewrites everything that `outputs` depend on, in topological order, and returns the outputs' replacements. */
export function rewrite(outputs: readonly Tensor[], rule: Rule): Tensor[] {
  const replaced = new Map<Tensor, Tensor>();
  for (const node of reachable(outputs)) {
    const inputs = node.inputs.map((input) => replaced.get(input) ?? input);
    const next = scope(node.path, () => {
      const found = rule(node, inputs);
      if (found !== undefined) return found;
      return inputs.every((input, i) => input === node.inputs[i])
        ? node.outputs
        : apply(node.op, inputs, node.attrs);
    });
    node.outputs.forEach((tensor, i) => replaced.set(tensor, next[i]!));
  }
  return outputs.map((tensor) => replaced.get(tensor) ?? tensor);
}

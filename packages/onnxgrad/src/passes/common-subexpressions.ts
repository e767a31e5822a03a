/** @module Common-subexpression elimination: nodes of the same operation, inputs and attributes become one. */
import { apply, type GraphNode, type Tensor } from "../trace/tensor.ts";
import type { Rule } from "./rewrite.ts";

/** A fresh rule (it remembers what it has seen, so use one for each rewriting). */
export function commonSubexpressions(): Rule {
  const seen = new Map<string, readonly Tensor[]>();
  return (node, inputs) => {
    const key = keyOf(node, inputs);
    const before = seen.get(key);
    if (before !== undefined) return before;
    const same = inputs.every((input, i) => input === node.inputs[i]);
    const outputs = same ? node.outputs : apply(node.op, inputs, node.attrs);
    seen.set(key, outputs);
    return outputs;
  };
}

function keyOf(node: GraphNode, inputs: readonly Tensor[]): string {
  const attrs = JSON.stringify(node.attrs, (_, value: unknown) =>
    value instanceof Float64Array ? constantKey(value) : value,
  );
  return `${node.op.name}|${inputs.map((input) => `${input.node.id}.${input.index}`).join(",")}|${attrs}`;
}

/** Small constants are compared by value, large ones by identity. */
const identities = new WeakMap<Float64Array, number>();
let nextIdentity = 0;
function constantKey(values: Float64Array): string {
  if (values.length <= 64)
    return [...values].map((value) => (Object.is(value, -0) ? "-0" : String(value))).join(" ");
  let identity = identities.get(values);
  if (identity === undefined) identities.set(values, (identity = nextIdentity++));
  return `#${identity}`;
}

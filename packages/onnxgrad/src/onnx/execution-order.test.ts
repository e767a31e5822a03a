import { describe, expect, test } from "vitest";
import { valueAndGrad } from "../grad/gradients.ts";
import { square } from "../ops/arithmetic.ts";
import { conv2d } from "../ops/conv.ts";
import { relu } from "../ops/elementary.ts";
import { mean } from "../ops/reduce.ts";
import { input } from "../ops/source.ts";
import { flatten } from "../optim/flat.ts";
import { type GraphNode, reachable } from "../trace/tensor.ts";
import { executionOrder } from "./execution-order.ts";

const LAYERS = 6;

/** The gradient of a chain of convolutions as one vector, as a training step has it. */
function chainGradient() {
  const x = input("x", [2, 4, 6, 6]);
  const params = Array.from({ length: LAYERS }, (_, i) => input(`w${i}`, [4, 4, 3, 3]));
  const { grads } = valueAndGrad((weights: typeof params) =>
    mean(square(weights.reduce((h, weight) => relu(conv2d(h, weight, { padding: 1 })), x))),
  )(params);
  return [flatten(grads)];
}

/** ONNX Runtime's walk: back from the outputs, depth first, the input written last before the others. */
function runtimeOrder(written: readonly GraphNode[], outputs: readonly GraphNode[]): GraphNode[] {
  const position = new Map(written.map((node, i) => [node, i]));
  const done = new Set<GraphNode>();
  const order: GraphNode[] = [];
  const visit = (node: GraphNode) => {
    if (done.has(node)) return;
    done.add(node);
    const sources = node.inputs.map((each) => each.node).sort((a, b) => position.get(b)! - position.get(a)!);
    sources.forEach(visit);
    order.push(node);
  };
  outputs.forEach(visit);
  return order;
}

describe("executionOrder", () => {
  const outputs = chainGradient();
  const nodes = reachable(outputs);
  const written = executionOrder(nodes);

  test("is a topological order of the same nodes", () => {
    expect(new Set(written)).toEqual(new Set(nodes));
    expect(written).toHaveLength(nodes.length);
    const position = new Map(written.map((node, i) => [node, i]));
    for (const node of written)
      for (const { node: source } of node.inputs)
        expect(position.get(source)!, `${source.op.name} before ${node.op.name}`).toBeLessThan(
          position.get(node)!,
        );
  });

  test("lets every weight gradient run before the next layer's", () => {
    const run = runtimeOrder(
      written,
      outputs.map(({ node }) => node),
    ).map(({ op }) => op.name);
    const backward = run.filter((name) => name === "conv2dInputGrad" || name === "conv2dWeightGrad");
    // No two gradients of one kind follow each other: a weight's comes with its layer's.
    for (let i = 1; i < backward.length; i++)
      expect(backward[i], backward.join(" ")).not.toBe(backward[i - 1]);
  });
});

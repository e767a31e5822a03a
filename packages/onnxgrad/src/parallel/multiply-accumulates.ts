/** @module The work of a node, as papers count it. */
import type { OpName } from "../ops/registry.ts";
import { type GraphNode, sizeOf } from "../trace/tensor.ts";

/** Multiply-accumulates of one evaluation of a node: of matrix products and convolutions, nothing for the others. */
export function multiplyAccumulates({ op, inputs, outputs }: GraphNode): number {
  const [a, b] = inputs;
  switch (op.name as OpName) {
    case "matmul":
      return outputs[0]!.size * a!.shape.at(-1)!;
    case "conv2d":
      return outputs[0]!.size * sizeOf(b!.shape.slice(1));
    case "conv2dInputGrad":
      return a!.size * sizeOf(b!.shape.slice(1));
    case "conv2dWeightGrad":
      return b!.size * sizeOf(outputs[0]!.shape.slice(1));
    default:
      return 0;
  }
}

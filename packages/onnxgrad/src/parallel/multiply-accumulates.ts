/** @module The work of a node, as papers count it. */
import type { GraphNode } from "../trace/tensor.ts";

/** Multiply-accumulates of one evaluation of a node: of matrix products and convolutions, nothing for the others. */
export function multiplyAccumulates(node: GraphNode): number {
  return node.op.macs?.(node) ?? 0;
}

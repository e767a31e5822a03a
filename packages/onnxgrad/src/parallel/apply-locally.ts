/** @module Writes a node for one shard, as its rule (ops/placement.ts) has decided. */
import { mul } from "../ops/arithmetic.ts";
import type { Decision } from "../ops/placement.ts";
import { apply, type GraphNode, type Tensor } from "../trace/tensor.ts";

/** The node in one shard of `k`: applied to the shard's inputs. */
export function applyLocally(
  { op, attrs }: GraphNode,
  decision: Decision,
  inputs: readonly Tensor[],
  k: number,
): readonly Tensor[] {
  const outputs = apply(op, inputs, decision.attrs?.(k) ?? attrs);
  return decision.average ? outputs.map((tensor) => mul(tensor, 1 / k)) : outputs;
}

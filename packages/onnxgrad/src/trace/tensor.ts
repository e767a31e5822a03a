/**
 * @module The traced graph: symbolic tensors and the nodes that produce them. Nothing is computed here; calling an
 * operation records a node. Nodes are immutable and know only their inputs, so a graph is whatever can be reached
 * backwards from its outputs.
 */
import type { OpDefinition } from "../ops/define-op.ts";
import { modulePath } from "./scope.ts";

/** Element types. Arithmetic is float32; int64 holds indices; bool the results of comparisons; uint8 finished pixels. */
export type DType = "float32" | "int64" | "bool" | "uint8";

/** Static dimensions, outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Shape and element type of a tensor, without a value. */
export interface Spec {
  readonly shape: Shape;
  readonly dtype: DType;
}

/** One recorded operation. `id` grows with creation, so ascending ids are a topological order. */
export interface GraphNode {
  readonly id: number;
  readonly op: OpDefinition<unknown>;
  readonly inputs: readonly Tensor[];
  readonly attrs: unknown;
  readonly outputs: readonly Tensor[];
  /** Where the user's code made it, e.g. `unet.down.0.conv`. */
  readonly path: string;
}

/** A symbolic tensor: output `index` of `node`. */
export class Tensor implements Spec {
  readonly node: GraphNode;
  readonly index: number;
  readonly shape: Shape;
  readonly dtype: DType;
  constructor(node: GraphNode, index: number, spec: Spec) {
    this.node = node;
    this.index = index;
    this.shape = spec.shape;
    this.dtype = spec.dtype;
  }
  /** Number of dimensions. */
  get rank(): number {
    return this.shape.length;
  }
  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }
  toString(): string {
    return `%${this.node.id}${this.index > 0 ? `.${this.index}` : ""}: ${formatSpec(this)}`;
  }
}

/** Number of elements of a shape. */
export function sizeOf(shape: Shape): number {
  return shape.reduce((product, n) => product * n, 1);
}

/** Whether two shapes are equal, dimension by dimension. */
export function sameShape(a: Shape, b: Shape): boolean {
  return a.length === b.length && a.every((n, i) => n === b[i]);
}

/** `[2,3,8,8]`, with the element type in front unless it is float32. */
export function formatSpec(spec: Spec): string {
  return `${spec.dtype === "float32" ? "" : spec.dtype}[${spec.shape.join(",")}]`;
}

let nextId = 0;

/**
 * Records the operation `op` on `inputs` and returns its outputs.
 * @throws GraphError from the operation's shape rule.
 */
export function apply<A>(op: OpDefinition<A>, inputs: readonly Tensor[], attrs: A): readonly Tensor[] {
  const specs = op.infer(inputs, attrs);
  const outputs: Tensor[] = [];
  const node: GraphNode = {
    id: nextId++,
    op: op as OpDefinition<unknown>,
    inputs,
    attrs,
    outputs,
    path: modulePath(),
  };
  specs.forEach((spec, i) => outputs.push(new Tensor(node, i, spec)));
  return outputs;
}

/** {@link apply} for operations of one output. */
export function apply1<A>(op: OpDefinition<A>, inputs: readonly Tensor[], attrs: A): Tensor {
  return apply(op, inputs, attrs)[0]!;
}

/** Every node that `outputs` depend on, in topological order (ascending id). */
export function reachable(outputs: readonly Tensor[]): GraphNode[] {
  const seen = new Set<GraphNode>();
  const stack = outputs.map((tensor) => tensor.node);
  for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const input of node.inputs) stack.push(input.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}

/**
 * @module How long every tensor of a graph lives when its nodes run as they were traced, and what that needs at most.
 * The runtime may do better (it writes over inputs) or worse (it keeps buffers for later tensors of the same shape).
 */
import { type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";

const WIDTH = { float32: 4, int64: 8, bool: 1, uint8: 1 } as const;

/** Bytes of a tensor's values. */
export const bytesOf = ({ size, dtype }: Tensor): number => size * WIDTH[dtype];

/** The tensor that owns the buffer: a reshape hands its input's on. */
export function bufferOf(tensor: Tensor): Tensor {
  const { op, inputs } = tensor.node;
  return op.name === "reshape" ? bufferOf(inputs[0]!) : tensor;
}

/** Whether the caller holds the values: inputs and constants. */
export const isGiven = ({ node }: Tensor): boolean => node.op.name === "input" || node.op.name === "constant";

/** Lifetimes in a graph, inputs and constants aside. */
export interface Liveness {
  /** In the order in which they run. */
  readonly nodes: readonly GraphNode[];
  /** For every buffer, the position of the last node that reads it; outputs of the graph are read after all nodes. */
  readonly lastUse: ReadonlyMap<Tensor, number>;
  /** Bytes that are needed while the most is needed, and the position of the node that runs then. */
  readonly peak: number;
  readonly peakAt: number;
}

/** Lifetimes in the graph of `outputs`. */
export function liveness(outputs: readonly Tensor[]): Liveness {
  const nodes = reachable(outputs);
  const lastUse = new Map<Tensor, number>();
  const use = (tensor: Tensor, at: number) => {
    const buffer = bufferOf(tensor);
    if (!isGiven(buffer)) lastUse.set(buffer, at);
  };
  nodes.forEach(({ inputs }, at) => inputs.forEach((tensor) => use(tensor, at)));
  for (const tensor of outputs) use(tensor, nodes.length);
  const freed: Tensor[][] = Array.from({ length: nodes.length + 1 }, () => []);
  for (const [tensor, at] of lastUse) freed[at]!.push(tensor);
  let live = 0;
  let peak = 0;
  let peakAt = 0;
  nodes.forEach((node, at) => {
    for (const tensor of node.outputs) if (lastUse.has(tensor)) live += bytesOf(tensor);
    if (live > peak) [peak, peakAt] = [live, at];
    for (const tensor of freed[at]!) live -= bytesOf(tensor);
  });
  return { nodes, lastUse, peak, peakAt };
}

/** Bytes that the graph of `outputs` needs at most at a time, run as traced; inputs and constants not counted. */
export function peakBytes(outputs: readonly Tensor[]): number {
  return liveness(outputs).peak;
}

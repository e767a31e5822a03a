/**
 * @module The cost of a network, counted on its traced graph: multiply-accumulates of convolutions and matrix products,
 * forward and backward alike. Nothing is estimated from a configuration, so the count cannot drift from the code.
 */
import { multiplyAccumulates, reachable, type Tensor } from "onnxgrad";

/** Multiply-accumulates of a graph. */
export interface MacCount {
  /**
   * Products of two computed or learned tensors: what papers count as the cost of a network, fewer where the graph does
   * with fewer (`resizeConv2d`).
   */
  readonly network: number;
  /** Products with constants: resizing, wavelet transforms, filters. */
  readonly fixed: number;
}

/**
 * Counts the multiply-accumulates of everything that `outputs` depend on, once each. Divide by the batch for the cost
 * of an image; 1 GMAC = 1e9, and two floating-point operations each.
 *
 * @example
 * const { network } = countMacs([attentionUnet(params, statistics, x, "inference").y]);
 */
export function countMacs(outputs: readonly Tensor[]): MacCount {
  const computed = new Set<Tensor>();
  let network = 0;
  let fixed = 0;
  for (const node of reachable(outputs)) {
    if (node.op.name === "input" || node.inputs.some((tensor) => computed.has(tensor)))
      for (const tensor of node.outputs) computed.add(tensor);
    // A bias makes three inputs of a convolution: only the two factors matter.
    const factors = node.inputs.slice(0, 2);
    const macs = multiplyAccumulates(node);
    if (factors.every((tensor) => computed.has(tensor))) network += macs;
    else fixed += macs;
  }
  return { network, fixed };
}

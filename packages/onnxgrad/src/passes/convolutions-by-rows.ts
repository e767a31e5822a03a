/**
 * @module Convolutions that follow one another, with nothing but activations between them and weights that stay, by half of
 * the multiplications (ops/conv-winograd.ts). Features are by rows from the first to the last; one convolution alone would
 * lose in changing to and fro what it gains.
 */
import { conv2dByRows, fitsWinograd, imageFromRows, imageFromRowsOp } from "../ops/conv-winograd.ts";
import type { ConvGeometry } from "../ops/conv-geometry.ts";
import type { OpName } from "../ops/registry.ts";
import { apply, type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";
import { rewrite } from "./rewrite.ts";

/** Of one input, whose elements stay where they are. */
const ACTIVATIONS: ReadonlySet<string> = new Set<OpName>([
  ...(["relu", "leakyRelu", "silu", "sigmoid", "tanh", "softplus"] as const),
]);

/** The same outputs, such convolutions computed by rows, for kernels of this `block` (`LowerContext`). */
export function convolutionsByRows(outputs: readonly Tensor[], block: number): Tensor[] {
  const nodes = reachable(outputs);
  const fixed = new Set<GraphNode>();
  const users = new Map<Tensor, GraphNode[]>();
  for (const node of nodes) {
    const { op, inputs } = node;
    if (op.name === "constant" || (op.name !== "input" && inputs.every((each) => fixed.has(each.node))))
      fixed.add(node);
    for (const input of inputs) {
      const known = users.get(input);
      if (known === undefined) users.set(input, [node]);
      else known.push(node);
    }
  }
  const given = new Set(outputs);
  const fits = ({ op, inputs: [x, w], outputs: [y], attrs }: GraphNode) =>
    op.name === "conv2d" &&
    fixed.has(w!.node) &&
    !fixed.has(x!.node) &&
    fitsWinograd({ x: x!.shape, w: w!.shape, y: y!.shape }, attrs as ConvGeometry, block);
  /** Whether another such convolution, and nothing else, is what follows. */
  const leadsOn = (tensor: Tensor): boolean => {
    const [next, ...others] = users.get(tensor) ?? [];
    if (next === undefined || others.length > 0 || given.has(tensor)) return false;
    return ACTIVATIONS.has(next.op.name)
      ? leadsOn(next.outputs[0]!)
      : next.inputs[0] === tensor && fits(next);
  };

  return rewrite(outputs, (node, inputs) => {
    const rows = rowsOf(inputs[0]);
    const [y] = node.outputs;
    if (rows !== undefined && ACTIVATIONS.has(node.op.name))
      return [imageFromRows(apply(node.op, [rows], node.attrs)[0]!, { image: y!.shape, block })];
    if (!fits(node) || !(rows !== undefined || leadsOn(y!))) return undefined;
    const [x, ...rest] = inputs;
    const attrs = { ...(node.attrs as ConvGeometry), block, image: x!.shape, byRows: rows !== undefined };
    return [imageFromRows(conv2dByRows([rows ?? x!, ...rest], attrs), { image: y!.shape, block })];
  });
}

/** Features by rows, of an image that is made of them. */
function rowsOf(image: Tensor | undefined): Tensor | undefined {
  return image?.node.op.name === imageFromRowsOp.name ? image.node.inputs[0]! : undefined;
}

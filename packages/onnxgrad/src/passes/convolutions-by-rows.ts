/**
 * @module Convolutions by less than half of the multiplications (ops/conv-winograd.ts), where that pays. Weights that stay:
 * those that follow one another with nothing but activations between them, whose features are by rows from the first to the
 * last; one alone would lose in changing to and fro what it gains over the runtime's own kernels. Weights that are learned:
 * each alone, forward and input gradient, on images so large that products outweigh the rest.
 */
import { LEARNED_PAIRS } from "../ops/blocked.ts";
import { adjointGeometry, type ConvGeometry, type ConvShapes } from "../ops/conv-geometry.ts";
import { conv2dByRows, fitsWinograd, imageFromRows, imageFromRowsOp } from "../ops/conv-winograd.ts";
import { apply, type GraphNode, reachable, type Tensor } from "../trace/tensor.ts";
import { rewrite } from "./rewrite.ts";

/** Pixels from which a convolution of learned weights is by rows: a twelfth of a training step; below, memory grows more. */
const PIXELS = 2 ** 12;

/** The same outputs, such convolutions computed by rows, for kernels of this `block` (`LowerContext`). */
export function convolutionsByRows(outputs: readonly Tensor[], block: number): Tensor[] {
  const fixed = new Set<GraphNode>();
  const isFixed = (tensor: Tensor | undefined) => fixed.has(tensor!.node);
  const found = new Map<GraphNode, Convolution>();
  const users = new Map<Tensor, GraphNode[]>();
  for (const node of reachable(outputs)) {
    const { op, inputs } = node;
    if (op.name === "constant" || (op.name !== "input" && inputs.every(isFixed))) fixed.add(node);
    const convolution = convolutionOf(node);
    if (convolution && !isFixed(inputs[0]) && fitsWinograd(convolution.shapes, convolution.geometry, block))
      found.set(node, convolution);
    for (const input of inputs) {
      const known = users.get(input);
      if (known === undefined) users.set(input, [node]);
      else known.push(node);
    }
  }
  const given = new Set(outputs);
  const onlyUser = (tensor: Tensor): GraphNode | undefined => {
    const [user, ...others] = users.get(tensor) ?? [];
    return others.length > 0 || given.has(tensor) ? undefined : user;
  };
  /** Whether its weights stay. */
  const isStaying = (node: GraphNode) => found.get(node)?.adjoint === false && isFixed(node.inputs[1]);
  /** Whether another convolution of weights that stay, and nothing else, is what follows. */
  const leadsOn = (tensor: Tensor): boolean => {
    const next = onlyUser(tensor);
    if (next === undefined) return false;
    if (next.op.traits.activation) return leadsOn(next.outputs[0]!);
    return next.inputs[0] === tensor && isStaying(next);
  };

  return rewrite(outputs, (node, inputs) => {
    const y = node.outputs[0]!;
    const features = rowsOf(inputs[0]);
    if (features !== undefined && node.op.traits.activation && onlyUser(node.inputs[0]!) === node)
      return [imageFromRows(apply(node.op, [features], node.attrs)[0]!, { image: y.shape, block })];
    const convolution = found.get(node);
    if (convolution === undefined) return undefined;
    const stays = isStaying(node);
    const rows = stays ? features : undefined;
    const pays = stays ? rows !== undefined || leadsOn(y) : isLarge(convolution) && !isFixed(node.inputs[1]);
    if (!pays) return undefined;
    const [x, ...rest] = inputs;
    const { geometry, adjoint } = convolution;
    const attrs = { ...geometry, block, image: x!.shape, byRows: rows !== undefined, adjoint };
    return [imageFromRows(conv2dByRows([rows ?? x!, ...rest], attrs), { image: y.shape, block })];
  });
}

/** A convolution, or an input gradient as one: `w` among the shapes is that of this one. */
interface Convolution {
  readonly shapes: ConvShapes;
  readonly geometry: ConvGeometry;
  /** Whether it is an input gradient. */
  readonly adjoint: boolean;
}

function convolutionOf({ op, inputs, outputs, attrs }: GraphNode): Convolution | undefined {
  const isConvolution = op.name === "conv2d";
  if (!isConvolution && op.name !== "conv2dInputGrad") return undefined;
  const [x, w] = inputs;
  const [o, c, kh, kw] = w!.shape as [number, number, number, number];
  const { stride, padding, dilation, groups } = attrs as ConvGeometry;
  const own = { stride, padding, dilation, groups };
  const geometry = isConvolution ? own : adjointGeometry(own, [kh, kw]);
  const shape = isConvolution ? w!.shape : [c, o, kh, kw];
  return (
    geometry && {
      shapes: { x: x!.shape, w: shape, y: outputs[0]!.shape },
      geometry,
      adjoint: !isConvolution,
    }
  );
}

const isLarge = ({
  shapes: {
    w: [o, c],
    y: [, , h, w],
  },
}: Convolution) => h! * w! >= PIXELS && o! * c! <= LEARNED_PAIRS;

/** Features by rows, of an image that is made of them. */
function rowsOf(image: Tensor | undefined): Tensor | undefined {
  return image?.node.op.name === imageFromRowsOp.name ? image.node.inputs[0]! : undefined;
}

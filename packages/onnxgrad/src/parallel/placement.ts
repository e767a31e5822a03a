/**
 * @module How each operation runs on a part of the batch. A tensor of a shard is replicated (every shard has all of
 * it), sharded (every shard has its own slice of one axis), or partial (the shards' values must be added up). A rule
 * says, from the placements of a node's inputs, what its outputs are and how the node is written for one shard; an
 * operation that has no exact form then is left to the part that runs after the shards.
 */
import { mul } from "../ops/arithmetic.ts";
import type { SliceRange } from "../ops/slice.ts";
import type { OpName } from "../ops/registry.ts";
import { apply, type GraphNode, type Shape, type Tensor } from "../trace/tensor.ts";

/** Every shard holds the whole tensor. */
export const REPLICATED = { kind: "replicated" } as const;

/** The shards' tensors add up to the whole. */
export const PARTIAL = { kind: "partial" } as const;

/**
 * Shard i of k holds the i-th k-th of every one of `blocks` equal stretches of `axis`, in order. More than one block
 * arises where batches are joined: [a0 a1 b0 b1] is sharded as [a0 b0] and [a1 b1].
 */
export interface Sharded {
  readonly kind: "sharded";
  readonly axis: number;
  readonly blocks: number;
}

export type Placement = typeof REPLICATED | typeof PARTIAL | Sharded;

/** How a node runs in a shard. */
export interface Decision {
  /** The placement that each input must have; a replicated input may be asked for as sharded. */
  readonly inputs: readonly Placement[];
  readonly outputs: readonly Placement[];
  /** Attributes of the node in one shard of `k`; default: those of the whole node. */
  readonly attrs?: (k: number) => unknown;
  /** The outputs of a shard are multiplied by 1/k: they are averages over it. */
  readonly average?: boolean;
}

/** Decides for one node, of which at least one input is not replicated; undefined: not within shards. */
export type PlacementRule = (node: GraphNode, places: readonly Placement[]) => Decision | undefined;

const sharded = (axis: number, blocks: number): Sharded => ({ kind: "sharded", axis, blocks });

const samePlace = (a: Placement, b: Placement): boolean =>
  a.kind === b.kind &&
  (a.kind !== "sharded" || (a.axis === (b as Sharded).axis && a.blocks === (b as Sharded).blocks));

/** The shape of a shard's slice. */
export function localShape(shape: Shape, place: Placement, k: number): Shape {
  return place.kind === "sharded" ? shape.map((n, axis) => (axis === place.axis ? n / k : n)) : shape;
}

/** Whether a tensor of `shape` can be sharded so by `k`. */
export function divides(shape: Shape, { axis, blocks }: Sharded, k: number): boolean {
  const extent = shape[axis]!;
  return extent % blocks === 0 && (extent / blocks) % k === 0;
}

const every = (places: readonly Placement[], kind: Placement["kind"]): boolean =>
  places.every((place) => place.kind === kind);

/** Same placement in and out, for operations that are linear in their only moving input. */
const linear: PlacementRule = (node, places) =>
  places.filter(({ kind }) => kind === "partial").length === 1 &&
  places.every(({ kind }) => kind === "partial" || kind === "replicated")
    ? { inputs: places, outputs: node.outputs.map(() => PARTIAL) }
    : undefined;

/** The placement of inputs that broadcast together: sharded ones must agree, others follow them. */
const elementwise: PlacementRule = ({ inputs, outputs }, places) => {
  const rank = outputs[0]!.rank;
  const fromRight = places.flatMap((place, i) =>
    place.kind === "sharded" ? [sharded(place.axis + rank - inputs[i]!.rank, place.blocks)] : [],
  );
  const [first] = fromRight;
  if (first === undefined || !fromRight.every((place) => samePlace(place, first))) return undefined;
  if (places.some(({ kind }) => kind === "partial")) return undefined;
  return {
    inputs: inputs.map((input) => {
      const axis = first.axis - rank + input.rank;
      return axis >= 0 && input.shape[axis]! > 1 ? sharded(axis, first.blocks) : REPLICATED;
    }),
    outputs: outputs.map(() => first),
  };
};

const sumLike: PlacementRule = (node, places) =>
  every(places, "partial") ? { inputs: places, outputs: [PARTIAL] } : elementwise(node, places);

const product: PlacementRule = (node, places) => linear(node, places) ?? elementwise(node, places);

/** Partial over replicated; the divisor is not linear. */
const quotient: PlacementRule = (node, places) =>
  (places[1]!.kind === "replicated" ? linear(node, places) : undefined) ?? elementwise(node, places);

/** One input, every axis but the sharded one free to change: `free` says whether the sharded axis is left alone. */
const along =
  (free: (axis: number, node: GraphNode) => boolean, isLinear = false): PlacementRule =>
  (node, places) => {
    const [place] = places;
    if (place!.kind === "partial") return isLinear ? linear(node, places) : undefined;
    if (place!.kind !== "sharded" || !free(place!.axis, node)) return undefined;
    return { inputs: places, outputs: node.outputs.map(() => place!) };
  };

const axesOf = ({ attrs }: GraphNode) => (attrs as { readonly axes: readonly number[] }).axes;
const notReduced = (axis: number, node: GraphNode) => !axesOf(node).includes(axis);
const notLast = (axis: number, { inputs }: GraphNode) => axis < inputs[0]!.rank - 1;

/** A sum, or a mean, over the sharded axis becomes partial. */
const reduction =
  (average: boolean): PlacementRule =>
  (node, places) =>
    places[0]!.kind === "sharded" && !notReduced(places[0]!.axis, node)
      ? { inputs: places, outputs: [PARTIAL], average }
      : along(notReduced, true)(node, places);

/** [..., m, k] x [..., k, n]. */
const matmul: PlacementRule = (node, places) => {
  const { inputs, outputs } = node;
  if (places.some(({ kind }) => kind === "partial")) return linear(node, places);
  const rank = outputs[0]!.rank;
  const [a, b] = places as [Placement, Placement];
  const [left, right] = inputs as [Tensor, Tensor];
  // Axes counted from the right: 0 and 1 are the matrix, the others broadcast.
  const depth = (place: Placement, { rank: own }: Tensor) =>
    place.kind === "sharded" ? own - 1 - place.axis : -1;
  const da = depth(a, left);
  const db = depth(b, right);
  const both = a.kind === "sharded" && b.kind === "sharded";
  if ((da === 0 || db === 1) && (!both || (da === 0 && db === 1 && a.blocks === b.blocks))) {
    const blocks = (a as Sharded).blocks ?? (b as Sharded).blocks;
    return {
      inputs: [sharded(left.rank - 1, blocks), sharded(right.rank - 2, blocks)],
      outputs: [PARTIAL],
    };
  }
  if (da === 1 && b.kind === "replicated")
    return { inputs: places, outputs: [sharded(rank - 2, (a as Sharded).blocks)] };
  if (db === 0 && a.kind === "replicated")
    return { inputs: places, outputs: [sharded(rank - 1, (b as Sharded).blocks)] };
  const lead = Math.max(da, db);
  if (lead < 2 || (both && (da !== db || a.blocks !== b.blocks))) return undefined;
  const blocks = a.kind === "sharded" ? a.blocks : (b as Sharded).blocks;
  return {
    inputs: inputs.map(({ shape }) => {
      const axis = shape.length - 1 - lead;
      return axis >= 0 && shape[axis]! > 1 ? sharded(axis, blocks) : REPLICATED;
    }),
    outputs: [sharded(rank - 1 - lead, blocks)],
  };
};

/** Images sharded along the batch, the weight (and bias) replicated. */
const convolution: PlacementRule = (node, places) => {
  const [x, w, bias] = places;
  if (x!.kind === "partial" || w!.kind === "partial")
    return bias === undefined ? linear(node, places) : undefined;
  if (x!.kind !== "sharded" || x!.axis !== 0 || places.slice(1).some(({ kind }) => kind !== "replicated"))
    return undefined;
  return { inputs: places, outputs: [x!], ...localAttrShape(node, x!) };
};

/** Images sharded along the batch, what every channel is multiplied by and gets added replicated. */
const imagesOnly: PlacementRule = (_, places) =>
  places[0]!.kind === "sharded" &&
  places[0]!.axis === 0 &&
  places.slice(1).every(({ kind }) => kind === "replicated")
    ? { inputs: places, outputs: [places[0]!] }
    : undefined;

/** Statistics of a channel need all of its images. */
const byChannel: PlacementRule = (_, [place]) =>
  place!.kind === "sharded" && place!.axis === 1
    ? { inputs: [place!], outputs: [sharded(0, place!.blocks), sharded(0, place!.blocks)] }
    : undefined;

/** Attributes that name the shape of the output are those of the shard's. */
function localAttrShape({ attrs }: GraphNode, place: Placement): Pick<Decision, "attrs"> {
  const { shape, ...rest } = attrs as { readonly shape?: Shape };
  return shape === undefined ? {} : { attrs: (k) => ({ ...rest, shape: localShape(shape, place, k) }) };
}

const weightGrad: PlacementRule = (node, places) => {
  if (places.some(({ kind }) => kind === "partial")) return linear(node, places);
  const moving = places.find((place) => place.kind === "sharded") as Sharded;
  const fits = places.every((place) => place.kind === "replicated" || samePlace(place, moving));
  return moving.axis === 0 && fits ? { inputs: [moving, moving], outputs: [PARTIAL] } : undefined;
};

/** The sharded stretch must begin at an axis of the target and hold whole multiples there. */
const reshape: PlacementRule = (node, places) => {
  const [place] = places;
  const [x] = node.inputs;
  const { shape } = node.outputs[0]!;
  if (place!.kind !== "sharded") return linear(node, places);
  const before = x!.shape.slice(0, place!.axis).reduce((a, b) => a * b, 1) * place!.blocks;
  const stretch = x!.size / before;
  let outer = 1;
  for (let axis = 0; axis < shape.length; axis++) {
    const blocks = before / outer;
    // Elements of one stretch that this axis steps over: all of it must be within this axis and those behind it.
    const target = sharded(axis, blocks);
    const inner = x!.size / outer / shape[axis]!;
    const begins =
      Number.isInteger(blocks) && shape[axis]! % blocks === 0 && (shape[axis]! / blocks) * inner === stretch;
    if (begins && shape[axis]! / blocks > 1)
      return { inputs: places, outputs: [target], ...localAttrShape(node, target) };
    outer *= shape[axis]!;
  }
  return undefined;
};

const transpose: PlacementRule = (node, places) => {
  const [place] = places;
  if (place!.kind !== "sharded") return linear(node, places);
  const { permutation } = node.attrs as { readonly permutation: readonly number[] };
  return { inputs: places, outputs: [sharded(permutation.indexOf(place!.axis), place!.blocks)] };
};

const broadcastTo: PlacementRule = (node, places) => {
  const [place] = places;
  if (place!.kind !== "sharded") return linear(node, places);
  const target = sharded(place!.axis + node.outputs[0]!.rank - node.inputs[0]!.rank, place!.blocks);
  return { inputs: places, outputs: [target], ...localAttrShape(node, target) };
};

interface RangeAttrs {
  readonly ranges: readonly SliceRange[];
  readonly shape?: Shape;
}

/** A slice (or its adjoint) of other axes, or of whole stretches of the sharded one. */
const stretches =
  (shapeOf: (node: GraphNode) => Shape): PlacementRule =>
  (node, places) => {
    const [place] = places;
    if (place!.kind !== "sharded") return linear(node, places);
    const { axis, blocks } = place as Sharded;
    const attrs = node.attrs as RangeAttrs;
    const { start, count, step } = attrs.ranges[axis]!;
    const unit = node.inputs[0]!.shape[axis]! / blocks;
    // Of the larger side (the input of a slice, the output of its adjoint).
    const whole = shapeOf(node)[axis]!;
    if (step !== 1 || start % unit !== 0 || count % unit !== 0 || whole % unit !== 0) return undefined;
    return {
      inputs: places,
      outputs: [sharded(axis, node.outputs[0]!.shape[axis]! / unit)],
      attrs: (k) => ({
        ranges: attrs.ranges.map((range, i) =>
          i === axis ? { start: start / k, count: count / k, step } : range,
        ),
        ...(attrs.shape && { shape: localShape(attrs.shape, place!, k) }),
      }),
    };
  };

const axisOf = ({ attrs }: GraphNode) => (attrs as { readonly axis: number }).axis;

const concat: PlacementRule = (node, places) => {
  if (every(places, "partial")) return { inputs: places, outputs: [PARTIAL] };
  const at = places.findIndex(({ kind }) => kind === "sharded");
  if (at < 0 || places.some(({ kind }) => kind === "partial")) return undefined;
  const first = places[at] as Sharded;
  const { axis } = first;
  if (axis !== axisOf(node)) {
    const fits = places.every((place) => place.kind === "replicated" || samePlace(place, first));
    return fits ? { inputs: places.map(() => first), outputs: [first] } : undefined;
  }
  const unit = node.inputs[at]!.shape[axis]! / first.blocks;
  const wanted = node.inputs.map(({ shape }) => sharded(axis, shape[axis]! / unit));
  const fits = places.every((place, i) =>
    place.kind === "replicated" ? Number.isInteger(wanted[i]!.blocks) : samePlace(place, wanted[i]!),
  );
  const blocks = wanted.reduce((sum, each) => sum + each.blocks, 0);
  return fits ? { inputs: wanted, outputs: [sharded(axis, blocks)] } : undefined;
};

const split: PlacementRule = (node, places) => {
  const [place] = places;
  if (place!.kind !== "sharded") return linear(node, places);
  const { axis, blocks } = place as Sharded;
  if (axis !== axisOf(node)) return { inputs: places, outputs: node.outputs.map(() => place!) };
  const unit = node.inputs[0]!.shape[axis]! / blocks;
  const { sizes } = node.attrs as { readonly sizes: readonly number[] };
  if (sizes.some((size) => size % unit !== 0)) return undefined;
  return {
    inputs: places,
    outputs: sizes.map((size) => sharded(axis, size / unit)),
    attrs: (k) => ({ axis, sizes: sizes.map((size) => size / k) }),
  };
};

/** Rows of a replicated table by sharded indices. */
const gather: PlacementRule = (node, places) => {
  const [x, indices] = places;
  if (x!.kind === "partial") return linear(node, places);
  return x!.kind === "replicated" && indices!.kind === "sharded"
    ? { inputs: places, outputs: [indices!] }
    : undefined;
};

const scatterAdd: PlacementRule = (node, places) => {
  const [updates, indices] = places;
  if (updates!.kind === "partial") return indices!.kind === "replicated" ? linear(node, places) : undefined;
  const moving = (updates!.kind === "sharded" ? updates : indices) as Sharded;
  const fits = places.every((place) => place.kind === "replicated" || samePlace(place, moving));
  return fits && moving.axis < node.inputs[1]!.rank
    ? { inputs: [moving, moving], outputs: [PARTIAL] }
    : undefined;
};

const never: PlacementRule = () => undefined;
const ofBatchOrChannel = (axis: number) => axis < 2;

/** The rule of every operation: leaving one out does not compile. */
export const placementRules: { readonly [K in OpName]: PlacementRule } = {
  input: never,
  constant: never,
  add: sumLike,
  sub: sumLike,
  mul: product,
  div: quotient,
  pow: elementwise,
  maximum: elementwise,
  minimum: elementwise,
  clamp: elementwise,
  equal: elementwise,
  less: elementwise,
  greater: elementwise,
  lessEqual: elementwise,
  greaterEqual: elementwise,
  cast: elementwise,
  where: elementwise,
  oneHot: along(() => true),
  stopGradient: along(() => true, true),
  exp: elementwise,
  log: elementwise,
  sqrt: elementwise,
  abs: elementwise,
  sign: elementwise,
  round: elementwise,
  sin: elementwise,
  cos: elementwise,
  tanh: elementwise,
  sigmoid: elementwise,
  erf: elementwise,
  relu: elementwise,
  softplus: elementwise,
  silu: elementwise,
  leakyRelu: elementwise,
  slopes: elementwise,
  sum: reduction(false),
  mean: reduction(true),
  max: along(notReduced),
  min: along(notReduced),
  norm: never,
  matmul,
  conv2d: convolution,
  conv2dInputGrad: convolution,
  conv2dWeightGrad: weightGrad,
  maxPool2d: along(ofBatchOrChannel),
  avgPool2d: along(ofBatchOrChannel, true),
  upsampleNearest2d: along(ofBatchOrChannel, true),
  reshape,
  transpose,
  broadcastTo,
  slice: stretches(({ inputs }) => inputs[0]!.shape),
  unslice: stretches(({ outputs }) => outputs[0]!.shape),
  concat,
  split,
  gather,
  scatterAdd,
  softmax: along(notLast),
  standardize: along(notLast),
  channelMoments: byChannel,
  channelAffine: imagesOnly,
};

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

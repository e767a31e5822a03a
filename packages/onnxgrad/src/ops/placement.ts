/**
 * @module Where a tensor is while a graph runs on parts of the batch, and the rules that most operations share. A tensor of
 * a shard is replicated (every shard has all of it), sharded (every shard has its own slice of one axis), or partial (the
 * shards' values must be added up). A rule says, from the placements of a node's inputs, what its outputs are and how the
 * node is written for one shard; where that has no exact form, the node is left to the part that runs after the shards.
 */
import { type Shape } from "../trace/tensor.ts";
import type { NodeSpec } from "./define-op.ts";

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
export type PlacementRule<A> = (node: NodeSpec<A>, places: readonly Placement[]) => Decision | undefined;

export const sharded = (axis: number, blocks: number): Sharded => ({ kind: "sharded", axis, blocks });

export const samePlace = (a: Placement, b: Placement): boolean =>
  a.kind === b.kind &&
  (a.kind !== "sharded" || (a.axis === (b as Sharded).axis && a.blocks === (b as Sharded).blocks));

/** The shape of a shard's slice. */
export function localShape(shape: Shape, place: Placement, k: number): Shape {
  return place.kind === "sharded" ? shape.map((n, axis) => (axis === place.axis ? n / k : n)) : shape;
}

/** Attributes that name the shape of the output are those of the shard's. */
export const withLocalShape =
  <A extends { readonly shape: Shape }>(attrs: A, place: Placement): ((k: number) => A) =>
  (k) => ({ ...attrs, shape: localShape(attrs.shape, place, k) });

/** Whether a tensor of `shape` can be sharded so by `k`. */
export function divides(shape: Shape, { axis, blocks }: Sharded, k: number): boolean {
  const extent = shape[axis]!;
  return extent % blocks === 0 && (extent / blocks) % k === 0;
}

/** Whether all are of one kind. */
export const every = (places: readonly Placement[], kind: Placement["kind"]): boolean =>
  places.every((place) => place.kind === kind);

/** One partial input, all others replicated, of an operation that is linear in it: partial outputs. */
export const linear: PlacementRule<unknown> = (node, places) =>
  places.filter(({ kind }) => kind === "partial").length === 1 &&
  places.every(({ kind }) => kind === "partial" || kind === "replicated")
    ? { inputs: places, outputs: node.outputs.map(() => PARTIAL) }
    : undefined;

/** Inputs that broadcast together: sharded ones must agree, others follow them. */
export const elementwise: PlacementRule<unknown> = ({ inputs, outputs }, places) => {
  const rank = outputs[0]!.shape.length;
  const fromRight = places.flatMap((place, i) =>
    place.kind === "sharded" ? [sharded(place.axis + rank - inputs[i]!.shape.length, place.blocks)] : [],
  );
  const [first] = fromRight;
  if (first === undefined || !fromRight.every((place) => samePlace(place, first))) return undefined;
  if (places.some(({ kind }) => kind === "partial")) return undefined;
  return {
    inputs: inputs.map(({ shape }) => {
      const axis = first.axis - rank + shape.length;
      return axis >= 0 && shape[axis]! > 1 ? sharded(axis, first.blocks) : REPLICATED;
    }),
    outputs: outputs.map(() => first),
  };
};

/** One input, every axis but the sharded one free to change: `free` says whether the sharded axis is left alone. */
export const along =
  <A>(free: (axis: number, node: NodeSpec<A>) => boolean, isLinear = false): PlacementRule<A> =>
  (node, places) => {
    const [place] = places;
    if (place!.kind === "partial") return isLinear ? linear(node, places) : undefined;
    if (place!.kind !== "sharded" || !free(place!.axis, node)) return undefined;
    return { inputs: places, outputs: node.outputs.map(() => place!) };
  };

/** {@link along} all axes but the last. */
export const alongRows: PlacementRule<unknown> = along((axis, { inputs: [x] }) => axis < x!.shape.length - 1);

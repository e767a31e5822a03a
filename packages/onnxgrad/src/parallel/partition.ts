/**
 * @module Splits a graph over the batch: the same work for k shards that run at the same time without waiting for each
 * other, and the rest, which runs once on what the shards found. Exact up to the order of sums: whatever has no exact
 * form within a shard (batch statistics, clipping by the global norm, the optimiser) belongs to the rest.
 */
import { add } from "../ops/arithmetic.ts";
import { broadcastTo } from "../ops/sum.ts";
import { cast, greater } from "../ops/compare.ts";
import {
  type Decision,
  divides,
  localShape,
  type Placement,
  REPLICATED,
  type Sharded,
} from "../ops/placement.ts";
import { concat, split } from "../ops/concat.ts";
import { sliceRanges } from "../ops/slice.ts";
import { input } from "../ops/source.ts";
import { atOnce } from "../slices.ts";
import { inputName, portName } from "../trace/port-names.ts";
import { scope } from "../trace/scope.ts";
import { apply, type GraphNode, reachable, type Shape, type Tensor } from "../trace/tensor.ts";
import { applyLocally } from "./apply-locally.ts";
import { multiplyAccumulates } from "./multiply-accumulates.ts";

/** A graph in k shards and a rest. */
export interface Partition {
  /** What shard i computes, by name; the rest has an input for each, a port of that shard. */
  readonly shards: readonly Readonly<Record<string, Tensor>>[];
  /** The graph's outputs, in their order, from the shards' outputs, the inputs and the state. */
  readonly rest: readonly Tensor[];
  /** How the sharded inputs are cut: in the shards they have the name and the local shape. */
  readonly inputs: ReadonlyMap<string, Sharded>;
  /** Multiply-accumulates of all shards together, and of the rest. */
  readonly cost: { readonly shards: number; readonly rest: number };
}

const nameOf = (node: GraphNode) => inputName(node)!;
const isInput = (node: GraphNode) => inputName(node) !== undefined;

const costOf = (outputs: readonly Tensor[]): number =>
  reachable(outputs).reduce((sum, node) => sum + multiplyAccumulates(node), 0);

/**
 * The partition of the graph of `outputs` in k shards with the least work in the rest, over the leading extents of the
 * inputs that `isBatched` names; undefined when no input can be cut.
 */
export function partition(
  outputs: readonly Tensor[],
  k: number,
  isBatched: (inputName: string) => boolean,
): Partition | undefined {
  return atOnce(partitioning(outputs, k, isBatched));
}

/** {@link partition} in pieces. */
export function* partitioning(
  outputs: readonly Tensor[],
  k: number,
  isBatched: (inputName: string) => boolean,
): Generator<void, Partition | undefined> {
  const nodes = reachable(outputs);
  const batched = nodes.filter(
    (node) => isInput(node) && isBatched(nameOf(node)) && node.outputs[0]!.rank > 0,
  );
  // Nothing to be shared.
  if (batched.some(({ outputs: [x] }) => x!.size === 0)) return undefined;
  const batches = new Set(batched.map(({ outputs: [x] }) => x!.shape[0]!));
  let best: Partition | undefined;
  for (const batch of batches) {
    if (batch % k !== 0) continue;
    const found = yield* partitionBy(nodes, outputs, k, batch, new Set(batched));
    if (best === undefined || found.cost.rest < best.cost.rest) best = found;
  }
  return best;
}

function* partitionBy(
  nodes: readonly GraphNode[],
  outputs: readonly Tensor[],
  k: number,
  batch: number,
  batched: ReadonlySet<GraphNode>,
): Generator<void, Partition> {
  const { places, decisions, cuts } = place(nodes, k, batch, batched);
  yield;
  const crossing = findCrossing(nodes, outputs, places);
  yield;
  const shards: Readonly<Record<string, Tensor>>[] = [];
  for (let i = 0; i < k; i++) shards.push(yield* buildShard(nodes, crossing, { places, decisions, k, i }));
  const rest = yield* buildRest(nodes, outputs, crossing, places, k);
  const used = new Set(
    shards.flatMap((shard) => reachable(Object.values(shard)).filter(isInput).map(nameOf)),
  );
  return {
    shards,
    rest,
    inputs: new Map([...cuts].filter(([name]) => used.has(name))),
    cost: {
      shards: shards.reduce((sum, shard) => sum + costOf(Object.values(shard)), 0),
      rest: costOf(rest),
    },
  };
}

interface Placed {
  /** Placement of every tensor that exists in the shards; the others are late. */
  readonly places: Map<Tensor, Placement>;
  readonly decisions: ReadonlyMap<GraphNode, Decision>;
  readonly cuts: ReadonlyMap<string, Sharded>;
}

/**
 * What goes from the shards to the rest, with a name: sharded or partial values that a late node, or nobody, uses.
 * A cheap function of values that cross anyway is made late in `places` rather than sent as well.
 */
function findCrossing(
  nodes: readonly GraphNode[],
  outputs: readonly Tensor[],
  places: Map<Tensor, Placement>,
): ReadonlyMap<Tensor, string> {
  for (;;) {
    const crossing = new Map<Tensor, string>();
    const cross = (tensor: Tensor) => {
      const found = places.get(tensor);
      if (found !== undefined && found.kind !== "replicated" && !crossing.has(tensor))
        crossing.set(tensor, `x${crossing.size}`);
    };
    const usedInShards = new Set<Tensor>();
    for (const { inputs, outputs: made } of nodes)
      if (places.has(made[0]!)) for (const each of inputs) usedInShards.add(each);
      else inputs.forEach(cross);
    outputs.forEach(cross);
    const needless = [...crossing.keys()].filter(
      ({ node }) =>
        !isInput(node) &&
        multiplyAccumulates(node) === 0 &&
        node.outputs.every((each) => !usedInShards.has(each)) &&
        node.inputs.every((each) => crossing.has(each) || places.get(each)!.kind === "replicated"),
    );
    if (needless.length === 0) return crossing;
    for (const { node } of needless) for (const tensor of node.outputs) places.delete(tensor);
  }
}

/** Where every tensor is, as far as the rules go. */
function place(
  nodes: readonly GraphNode[],
  k: number,
  batch: number,
  batched: ReadonlySet<GraphNode>,
): Placed {
  const places = new Map<Tensor, Placement>();
  const decisions = new Map<GraphNode, Decision>();
  const cuts = new Map<string, Sharded>();
  const fits = (tensors: readonly Tensor[], wanted: readonly Placement[]) =>
    tensors.every(({ shape }, i) => {
      const each = wanted[i]!;
      return each.kind !== "sharded" || divides(shape, each, k);
    });
  for (const node of nodes) {
    const [first] = node.outputs;
    if (batched.has(node) && first!.shape[0]! % batch === 0) {
      const cut: Sharded = { kind: "sharded", axis: 0, blocks: first!.shape[0]! / batch };
      places.set(first!, cut);
      cuts.set(nameOf(node), cut);
      continue;
    }
    const from = node.inputs.map((each) => places.get(each));
    if (from.includes(undefined)) continue;
    if (from.every((each) => each!.kind === "replicated")) {
      for (const tensor of node.outputs) places.set(tensor, REPLICATED);
      continue;
    }
    const decision = node.op.place?.(node, from as Placement[]);
    if (
      decision === undefined ||
      !fits(node.inputs, decision.inputs) ||
      !fits(node.outputs, decision.outputs)
    )
      continue;
    decisions.set(node, decision);
    node.outputs.forEach((tensor, i) => places.set(tensor, decision.outputs[i]!));
  }
  return { places, decisions, cuts };
}

interface ShardContext {
  readonly places: ReadonlyMap<Tensor, Placement>;
  readonly decisions: ReadonlyMap<GraphNode, Decision>;
  readonly k: number;
  readonly i: number;
}

function* buildShard(
  nodes: readonly GraphNode[],
  crossing: ReadonlyMap<Tensor, string>,
  { places, decisions, k, i }: ShardContext,
): Generator<void, Readonly<Record<string, Tensor>>> {
  const local = new Map<Tensor, Tensor>();
  const as = (tensor: Tensor, wanted: Placement): Tensor =>
    wanted.kind === "sharded" && places.get(tensor)!.kind === "replicated"
      ? takeShard(tensor, local, wanted, k, i)
      : local.get(tensor)!;
  for (const node of nodes) {
    const [first] = node.outputs;
    const found = places.get(first!);
    if (found === undefined) continue;
    const decision = decisions.get(node);
    let made: readonly Tensor[];
    if (decision !== undefined)
      made = scope(node.path, () =>
        applyLocally(
          node,
          decision,
          node.inputs.map((each, n) => as(each, decision.inputs[n]!)),
          k,
        ),
      );
    else if (found.kind === "sharded")
      made = [input(nameOf(node), localShape(first!.shape, found, k), first!.dtype)];
    else {
      const inputs = node.inputs.map((each) => local.get(each)!);
      const same = inputs.every((each, n) => each === node.inputs[n]);
      made = same ? node.outputs : scope(node.path, () => apply(node.op, inputs, node.attrs));
    }
    node.outputs.forEach((tensor, n) => local.set(tensor, made[n]!));
    yield;
  }
  // Truth values cross as numbers: no runtime takes them as inputs everywhere.
  const sent = (tensor: Tensor) => (tensor.dtype === "bool" ? cast(tensor, "float32") : tensor);
  return Object.fromEntries([...crossing].map(([tensor, name]) => [name, sent(local.get(tensor)!)]));
}

/** A shard's slice of a replicated tensor; of a broadcast, the smaller broadcast. */
function takeShard(
  tensor: Tensor,
  local: ReadonlyMap<Tensor, Tensor>,
  { axis, blocks }: Sharded,
  k: number,
  i: number,
): Tensor {
  const { node, shape } = tensor;
  if (node.op.name === "broadcastTo") {
    const [source] = node.inputs;
    const own = axis - (shape.length - source!.rank);
    if (own < 0 || source!.shape[own] === 1)
      return broadcastTo(local.get(source!)!, localShape(shape, { kind: "sharded", axis, blocks }, k));
  }
  const unit = shape[axis]! / blocks;
  const part = (block: number) =>
    sliceRanges(
      local.get(tensor)!,
      shape.map((n, d) =>
        d === axis
          ? { start: block * unit + (i * unit) / k, count: unit / k, step: 1 }
          : { start: 0, count: n, step: 1 },
      ),
    );
  return concat(
    Array.from({ length: blocks }, (_, block) => part(block)),
    axis,
  );
}

/** The graph that runs after the shards: late nodes, and replicated ones that they need. */
function* buildRest(
  nodes: readonly GraphNode[],
  outputs: readonly Tensor[],
  crossing: ReadonlyMap<Tensor, string>,
  places: ReadonlyMap<Tensor, Placement>,
  k: number,
): Generator<void, Tensor[]> {
  const made = new Map<Tensor, Tensor>();
  for (const [tensor, name] of crossing) {
    const found = places.get(tensor)!;
    const parts = Array.from({ length: k }, (_, i) =>
      input(
        portName({ is: "shard", shard: i, name }),
        localShape(tensor.shape, found, k),
        tensor.dtype === "int64" ? "int64" : "float32",
      ),
    );
    const whole =
      found.kind === "sharded" ? joinShards(parts, found, tensor.shape) : parts.reduce((a, b) => add(a, b));
    made.set(tensor, tensor.dtype === "bool" ? greater(whole, 0.5) : whole);
  }
  for (const node of nodes) {
    if (node.outputs.every((tensor) => made.has(tensor))) continue;
    const found = places.get(node.outputs[0]!);
    if (found !== undefined && found.kind !== "replicated") continue;
    const inputs = node.inputs.map((each) => made.get(each) ?? each);
    const same = inputs.every((each, n) => each === node.inputs[n]);
    const next = same ? node.outputs : scope(node.path, () => apply(node.op, inputs, node.attrs));
    node.outputs.forEach((tensor, n) => made.set(tensor, next[n]!));
    yield;
  }
  return outputs.map((tensor) => made.get(tensor)!);
}

/** The whole from the shards: with several stretches, each is joined on its own. */
function joinShards(parts: readonly Tensor[], { axis, blocks }: Sharded, shape: Shape): Tensor {
  if (blocks === 1) return concat(parts, axis);
  const unit = shape[axis]! / blocks / parts.length;
  const cut = parts.map((part) =>
    split(
      part,
      Array.from({ length: blocks }, () => unit),
      axis,
    ),
  );
  return concat(
    Array.from({ length: blocks }, (_, block) => cut.map((pieces) => pieces[block]!)).flat(),
    axis,
  );
}

/**
 * @module Recomputing instead of keeping. A training step needs the most memory where the forward pass ends, for all that
 * the backward pass will read. What follows cheaply from other tensors that are kept anyway is dropped there and computed
 * again by whoever reads it later. The last pass: eliminating common subexpressions would undo it.
 */
import { atOnce } from "../slices.ts";
import { scope } from "../trace/scope.ts";
import { apply, type GraphNode, type Tensor } from "../trace/tensor.ts";
import { bufferOf, bytesOf, isGiven, type Liveness, liveness } from "./liveness.ts";

/** Bytes below which a tensor is kept. */
const SMALL = 1 << 16;
/** The peak may move to another place, where another round can lower it again. */
const ROUNDS = 4;
/** The part of the peak that a round must save to be worth its work. */
const WORTHWHILE = 0.02;

/** The same values with a lower peak of memory, where some of them can be had again cheaply. */
export function rematerialize(outputs: readonly Tensor[]): Tensor[] {
  return atOnce(rematerializing(outputs));
}

/** {@link rematerialize} in pieces. */
export function* rematerializing(outputs: readonly Tensor[]): Generator<void, Tensor[]> {
  let current = [...outputs];
  let before = liveness(current);
  for (let round = 0; round < ROUNDS; round++) {
    yield;
    const dropped = choose(before, current);
    yield;
    const next = recomputeAfter(before, current, dropped);
    yield;
    const after = liveness(next);
    if (after.peak > (1 - WORTHWHILE) * before.peak) break;
    [current, before] = [next, after];
  }
  return current;
}

const isFree = (buffer: Tensor) => isGiven(buffer) || bytesOf(buffer) < SMALL;

/** Buffers made up to the peak and read after it that need not live through it. */
function choose({ nodes, lastUse, peakAt }: Liveness, outputs: readonly Tensor[]): ReadonlySet<Tensor> {
  const returned = new Set(outputs.map(bufferOf));
  const kept = new Set<Tensor>();
  for (const { outputs: made } of nodes.slice(0, peakAt + 1))
    for (const tensor of made) if (lastUse.get(tensor)! > peakAt && !isFree(tensor)) kept.add(tensor);
  const dropped = new Set<Tensor>();
  // From the last one back: what a node is computed from may itself be dropped after it.
  for (const node of nodes.slice(0, peakAt + 1).reverse()) {
    const own = node.outputs.filter((tensor) => kept.has(tensor) && !returned.has(tensor));
    if (own.length === 0 || !node.op.traits.cheap) continue;
    const needed = sources(node, (buffer) => isFree(buffer) || kept.has(buffer) || dropped.has(buffer));
    if (total(needed) >= total(own)) continue;
    for (const tensor of own) {
      kept.delete(tensor);
      dropped.add(tensor);
    }
    for (const each of needed) kept.add(each);
  }
  return dropped;
}

const total = (tensors: Iterable<Tensor>) => [...tensors].reduce((sum, each) => sum + bytesOf(each), 0);

/** What has to be kept besides what `isThere`, for `node` to be computed again by cheap operations. */
function sources(node: GraphNode, isThere: (buffer: Tensor) => boolean): ReadonlySet<Tensor> {
  const needed = new Set<Tensor>();
  const seen = new Set<Tensor>();
  const stack = node.inputs.map(bufferOf);
  for (let buffer = stack.pop(); buffer !== undefined; buffer = stack.pop()) {
    if (seen.has(buffer) || isThere(buffer)) continue;
    seen.add(buffer);
    if (buffer.node.op.traits.cheap) stack.push(...buffer.node.inputs.map(bufferOf));
    else needed.add(buffer);
  }
  return needed;
}

/** The graph in which nodes after the peak get the dropped buffers, and what leads to them, from copies of their nodes. */
function recomputeAfter(
  { nodes, lastUse, peakAt }: Liveness,
  outputs: readonly Tensor[],
  dropped: ReadonlySet<Tensor>,
): Tensor[] {
  if (dropped.size === 0) return [...outputs];
  const moved = new Map<Tensor, Tensor>();
  const copies = new Map<GraphNode, readonly Tensor[]>();
  const again = ({ op, inputs, attrs, path }: GraphNode) =>
    scope(path, () => apply(op, inputs.map(late), attrs));
  // What dies at the peak is not there any more, unless it has become a source.
  const survives = (buffer: Tensor) =>
    isFree(buffer) ||
    !buffer.node.op.traits.cheap ||
    (!dropped.has(buffer) && (lastUse.get(buffer) ?? -1) > peakAt);
  const late = (tensor: Tensor): Tensor => {
    const found = moved.get(tensor);
    if (found !== undefined) return found;
    if (survives(bufferOf(tensor))) return tensor;
    const { node, index } = tensor;
    let made = copies.get(node);
    if (made === undefined) copies.set(node, (made = again(node)));
    return made[index]!;
  };
  // All of them are made anew, so that they stay in order with the copies.
  for (const node of nodes.slice(peakAt + 1)) {
    const made = node.outputs.some(isGiven) ? node.outputs : again(node);
    node.outputs.forEach((tensor, i) => moved.set(tensor, made[i]!));
  }
  return outputs.map((tensor) => moved.get(tensor) ?? tensor);
}

/**
 * @module Every rule of placement against its definition: for each case of the op table and many placements of its inputs, the
 * shards' outputs, put together, are the whole node's, in float64.
 */
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import type { RefArray } from "../ops/define-op.ts";
import { forEachBroadcast, stridesOf } from "../ops/index-arithmetic.ts";
import { input } from "../ops/source.ts";
import { divides, localShape, PARTIAL, type Placement, REPLICATED, type Sharded } from "../ops/placement.ts";
import { registry } from "../ops/registry.ts";
import { rng } from "../random/threefry.ts";
import { caseGraph } from "../testing/case-graph.ts";
import { expectClose } from "../testing/expect-close.ts";
import { opCases } from "../testing/op-cases.ts";
import { type GraphNode, reachable, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { applyLocally } from "./apply-locally.ts";

/** Shard i's values of an array, by the definition of its placement. */
function shardOf({ shape, data }: RefArray, place: Placement, i: number, k: number, label: string): RefArray {
  if (place.kind === "replicated") return { shape, data };
  if (place.kind === "partial") {
    // Random parts that add up: the last shard has what the others lack.
    const parts = Array.from({ length: k - 1 }, (_, part) => {
      const random = rng(1, `${label}/${part}`);
      return data.map(() => random.normal());
    });
    const own = parts[i] ?? data.map((value, at) => value - parts.reduce((sum, part) => sum + part[at]!, 0));
    return { shape, data: own };
  }
  const local = localShape(shape, place, k);
  const from = new Float64Array(sizeOf(local));
  eachLocal(shape, place, i, k, (at, whole) => (from[at] = data[whole]!));
  return { shape: local, data: from };
}

/** Calls `visit(index in the shard, index in the whole)`. */
function eachLocal(
  shape: Shape,
  { axis, blocks }: Sharded,
  i: number,
  k: number,
  visit: (at: number, whole: number) => void,
): void {
  const local = localShape(shape, { kind: "sharded", axis, blocks }, k);
  const unit = shape[axis]! / blocks;
  const strides = stridesOf(shape);
  const own = stridesOf(local);
  forEachBroadcast(local, [], (at) => {
    let whole = 0;
    own.forEach((stride, d) => {
      const index = Math.floor(at / stride) % local[d]!;
      const position =
        d === axis ? Math.floor(index / (unit / k)) * unit + (i * unit) / k + (index % (unit / k)) : index;
      whole += position * strides[d]!;
    });
    visit(at, whole);
  });
}

/** Placements worth trying for a tensor. */
function placementsOf({ shape, dtype }: Tensor, k: number): Placement[] {
  const cuts = shape.flatMap((_, axis) =>
    [1, 2]
      .map((blocks): Sharded => ({ kind: "sharded", axis, blocks }))
      .filter((each) => divides(shape, each, k)),
  );
  return [REPLICATED, ...(dtype === "float32" ? [PARTIAL] : []), ...cuts];
}

/** Every combination, one placement an input; at most a few hundred. */
function combinations(node: GraphNode, k: number): Placement[][] {
  return node.inputs
    .reduce<Placement[][]>(
      (lists, tensor) =>
        lists.flatMap((list) => placementsOf(tensor, k).map((place) => [...list, place])).slice(0, 400),
      [[]],
    )
    .filter((places) => places.some(({ kind }) => kind !== "replicated"));
}

const format = (place: Placement) =>
  place.kind === "sharded" ? `axis ${place.axis} x${place.blocks}` : place.kind;

/** Checks one decision; returns whether there was one. */
function check(
  label: string,
  node: GraphNode,
  values: readonly RefArray[],
  places: readonly Placement[],
  k: number,
) {
  const decision = node.op.place?.(node, places);
  if (decision === undefined) return false;
  const fits = (tensors: readonly Tensor[], wanted: readonly Placement[]) =>
    tensors.every(({ shape }, i) => wanted[i]!.kind !== "sharded" || divides(shape, wanted[i] as Sharded, k));
  if (!fits(node.inputs, decision.inputs) || !fits(node.outputs, decision.outputs)) return false;
  const where = `${label}, ${k} shards, inputs ${places.map(format).join(" and ")}`;
  places.forEach((place, i) => {
    if (place.kind !== "replicated")
      expect(decision.inputs[i], `${where}: input ${i} is taken as it is`).toEqual(place);
  });
  const whole = node.op.evaluate(values, node.attrs, node.outputs);
  const found = node.outputs.map(({ size }) => new Float64Array(size));
  for (let i = 0; i < k; i++) {
    const local = values.map((array, n) => shardOf(array, decision.inputs[n]!, i, k, `${label}/${n}`));
    const inputs = local.map(({ shape }, n) => input(`x${n}`, shape, node.inputs[n]!.dtype));
    const outputs = applyLocally(node, decision, inputs, k);
    const results = interpret(outputs, Object.fromEntries(local.map(({ data }, n) => [`x${n}`, data])));
    results.forEach(({ shape, data }, o) => {
      const place = decision.outputs[o]!;
      expect(shape, `${where}: shape of output ${o}`).toEqual(localShape(node.outputs[o]!.shape, place, k));
      if (place.kind === "sharded")
        eachLocal(node.outputs[o]!.shape, place, i, k, (at, to) => (found[o]![to] = data[at]!));
      else data.forEach((value, at) => (found[o]![at]! += place.kind === "partial" ? value : value / k));
    });
  }
  found.forEach((data, o) =>
    expectClose(data, whole[o]!.data, { rtol: 1e-9, atol: 1e-9, what: `${where}: output ${o}` }),
  );
  return true;
}

describe.each(Object.entries(opCases))("%s", (op, cases) => {
  test("shards give what the whole gives", () => {
    let decided = 0;
    for (const each of cases) {
      const { feeds, trace } = caseGraph(op, each);
      const tensors = Object.entries(feeds).map(
        ([name, { spec }]) => [name, input(name, spec.shape, spec.dtype)] as const,
      );
      const nodes = reachable(Object.values(trace(Object.fromEntries(tensors)).forward));
      const values = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.values]));
      for (const node of nodes) {
        if (node.op.name !== op || node.inputs.length === 0) continue;
        const known = interpret(node.inputs, values);
        for (const k of [2, 3, 7])
          for (const places of combinations(node, k))
            decided += Number(check(`${op} / ${each.name}`, node, known, places, k));
      }
    }
    if (registry.find(({ name }) => name === op)!.place !== null)
      expect(decided, `${op}: placements that a rule accepts`).toBeGreaterThan(0);
  });
});

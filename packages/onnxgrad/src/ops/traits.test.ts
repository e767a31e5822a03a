/** @module What operations claim of themselves, held to their reference evaluation and to what they write. */
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { ModelBuilder } from "../onnx/model.ts";
import { caseGraph } from "../testing/case-graph.ts";
import { opCases } from "../testing/op-cases.ts";
import { type GraphNode, reachable, sizeOf } from "../trace/tensor.ts";
import { forEachBroadcast } from "./index-arithmetic.ts";
import type { RefArray, Traits } from "./define-op.ts";
import { registry } from "./registry.ts";
import { input } from "./source.ts";

interface Met {
  readonly label: string;
  readonly node: GraphNode;
  readonly inputs: readonly RefArray[];
}

/** Every node of each operation in its own cases, with the values that reach it. */
const met = new Map<string, readonly Met[]>(
  Object.entries(opCases).map(([op, cases]) => [
    op,
    cases.flatMap((each) => {
      const { feeds, trace } = caseGraph(op, each);
      const tensors = Object.entries(feeds).map(([name, { spec }]) => [
        name,
        input(name, spec.shape, spec.dtype),
      ]);
      const values = Object.fromEntries(Object.entries(feeds).map(([name, feed]) => [name, feed.values]));
      const { forward, first } = trace(Object.fromEntries(tensors) as never);
      return reachable(Object.values({ ...forward, ...first }))
        .filter((node) => node.op.name === op && node.inputs.length > 0)
        .map((node) => ({ label: `${op} / ${each.name}`, node, inputs: interpret(node.inputs, values) }));
    }),
  ]),
);

const withTrait = (trait: keyof Traits) =>
  registry
    .filter(({ traits }) => traits[trait] !== undefined)
    .map(({ name }) => [name, met.get(name)!] as const);

/** ONNX nodes that a node is written as for a CPU. */
function written(node: GraphNode): number {
  const builder = new ModelBuilder(["x", "y", "z"], undefined, { manyValues: true });
  builder.enter(node);
  node.op.lower(builder, ["x", "y", "z"].slice(0, node.inputs.length), node);
  return builder.nodes.length;
}

const scalar = (value: number): RefArray => ({ shape: [], data: Float64Array.of(value) });
const sorted = ({ data }: RefArray) => [...data].sort((a, b) => a - b);

describe("traits", () => {
  test.each(withTrait("elementwise"))("%s is elementwise", (_, nodes) => {
    for (const { label, node, inputs } of nodes) {
      const whole = node.op.evaluate(inputs, node.attrs, node.outputs);
      const specs = node.outputs.map(({ dtype }) => ({ shape: [], dtype }));
      forEachBroadcast(
        node.outputs[0]!.shape,
        inputs.map(({ shape }) => shape),
        (at, from) => {
          const alone = inputs.map(({ data }, i) => scalar(data[from[i]!]!));
          const made = node.op.evaluate(alone, node.attrs, specs);
          expect(
            made.map(({ data }) => data[0]),
            `${label}, element ${at}`,
          ).toEqual(whole.map(({ data }) => data[at]));
        },
      );
    }
  });

  test.each(withTrait("activation"))("%s is elementwise, of one input, and finite at 0", (_, nodes) => {
    for (const { label, node } of nodes) {
      expect(node.inputs, label).toHaveLength(1);
      expect(node.op.traits.elementwise, label).toBe(true);
      const [y] = node.op.evaluate([scalar(0)], node.attrs, [{ shape: [], dtype: "float32" }]);
      expect(y!.data[0], label).toSatisfy(Number.isFinite);
    }
  });

  test.each(withTrait("overwrites"))("%s is elementwise and one node", (_, nodes) => {
    for (const { label, node } of nodes) {
      expect(node.op.traits.elementwise, label).toBe(true);
      expect(written(node), label).toBe(1);
    }
  });

  test.each(withTrait("oneNode"))("%s has several outputs and is one node", (_, nodes) => {
    for (const { label, node } of nodes) {
      expect(node.outputs.length, label).toBeGreaterThan(1);
      expect(written(node), label).toBe(1);
    }
  });

  test.each(withTrait("handsOn"))("%s of as many elements as it has computes nothing", (_, nodes) => {
    const same = nodes.filter(({ node: { inputs, outputs } }) => inputs[0]!.size === outputs[0]!.size);
    for (const { label, node, inputs } of same)
      expect(sorted(node.op.evaluate(inputs, node.attrs, node.outputs)[0]!), label).toEqual(
        sorted(inputs[0]!),
      );
  });

  test.each(withTrait("neutral"))("%s with its neutral operand changes nothing", (_, nodes) => {
    for (const { label, node, inputs } of nodes) {
      const { op, attrs } = node;
      const x = inputs[0]!;
      const operand = scalar(op.traits.neutral!);
      const [y] = op.evaluate([x, operand], attrs, [{ shape: x.shape, dtype: "float32" }]);
      expect(y!.data, label).toEqual(x.data);
    }
  });
});

describe("macs", () => {
  const products = registry
    .filter(({ macs }) => macs !== null)
    .map(({ name }) => [name, met.get(name)!] as const);

  /** Every product of ones is 1, and without padding none is left out: the sum of a result is their number. */
  test.each(products)("%s counts its products", (_, nodes) => {
    const bare = nodes.filter(({ node: { attrs } }) =>
      ((attrs as { padding?: readonly number[] }).padding ?? []).every((n) => n === 0),
    );
    expect(bare.length).toBeGreaterThan(2);
    for (const { label, node } of bare) {
      const ones = node.inputs
        .slice(0, 2)
        .map(({ shape }): RefArray => ({ shape, data: new Float64Array(sizeOf(shape)).fill(1) }));
      const [y] = node.op.evaluate(ones, node.attrs, node.outputs);
      expect(node.op.macs!(node), label).toBe(y!.data.reduce((total, value) => total + value, 0));
    }
  });
});

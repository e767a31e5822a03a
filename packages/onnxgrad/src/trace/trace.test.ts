import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { silu } from "../ops/elementary.ts";
import { sum } from "../ops/sum.ts";
import { constant, input } from "../ops/source.ts";
import { isNdArray, ndarray } from "./ndarray.ts";
import { pack } from "./packed.ts";
import { printGraph } from "./print.ts";
import { scope } from "./scope.ts";
import { treeLeaves, treeMap } from "./tree.ts";

const tree = {
  conv: { weight: ndarray([2, 2], [1, 2, 3, 4]), bias: ndarray([2], [5, 6]) },
  blocks: [{ scale: ndarray([], [7]) }, { scale: ndarray([1], [8]) }],
} as const;

describe("treeLeaves() and treeMap()", () => {
  test("name every leaf by its keys and keep order and structure", () => {
    const leaves = treeLeaves(tree, isNdArray);
    expect(leaves.map(({ name }) => name)).toEqual([
      "conv.weight",
      "conv.bias",
      "blocks.0.scale",
      "blocks.1.scale",
    ]);
    const mapped = treeMap(tree, isNdArray, (leaf, name) => `${name}:${leaf.data.length}`);
    expect(mapped).toEqual({
      conv: { weight: "conv.weight:4", bias: "conv.bias:2" },
      blocks: [{ scale: "blocks.0.scale:1" }, { scale: "blocks.1.scale:1" }],
    });
    expect(Array.isArray(mapped.blocks)).toBe(true);
  });
  test("take __proto__ for a name", () => {
    const odd = JSON.parse('{"__proto__": {"a": 1}, "constructor": 2}') as Record<string, never>;
    const isNumber = (value: unknown): value is number => typeof value === "number";
    expect(treeLeaves<number>(odd, isNumber).map(({ name }) => name)).toEqual(["__proto__.a", "constructor"]);
    const mapped = treeMap(odd, isNumber, (leaf) => leaf * 10);
    expect(JSON.stringify(mapped)).toBe('{"__proto__":{"a":10},"constructor":20}');
    expect(({} as Record<string, unknown>)["a"]).toBeUndefined();
  });
});

describe("pack()", () => {
  test("puts all leaves into one buffer, in order, and the tree into views of it", () => {
    const packed = pack(tree);
    expect([...packed.data]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(packed.entries.map(({ name, offset }) => [name, offset])).toEqual([
      ["conv.weight", 0],
      ["conv.bias", 4],
      ["blocks.0.scale", 6],
      ["blocks.1.scale", 7],
    ]);
    packed.data[4] = 50;
    expect(packed.tree.conv.bias.data[0]).toBe(50);
    expect(tree.conv.bias.data[0]).toBe(5);
  });
  test("withData() lays other values out in the same way", () => {
    const other = pack(tree).withData(Float32Array.of(8, 7, 6, 5, 4, 3, 2, 1));
    expect([...other.tree.conv.weight.data]).toEqual([8, 7, 6, 5]);
    expect(other.tree.blocks[1].scale).toEqual({ shape: [1], data: Float32Array.of(1) });
  });
});

describe("printGraph()", () => {
  test("prints nodes with inputs, attributes, shapes and places, numbered from 0", () => {
    const x = input("x", [2, 3]);
    const y = scope("net", () => scope("act", () => silu(mul(x, constant([1, 2, 3])))));
    expect(printGraph([sum(add(y, 1), [1])])).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2,3]
      %1 = constant {"values":[1,2,3]}: [3] (net.act)
      %2 = mul %0 %1: [2,3] (net.act)
      %3 = silu %2: [2,3], [2,3] (net.act)
      %4 = constant {"values":1}: []
      %5 = add %3.0 %4: [2,3]
      %6 = sum %5 {"axes":[1]}: [2,1]
      %7 = reshape %6: [2]
      return %7"
    `);
  });
  test("shows where gradients come from", () => {
    const x = input("x", [2]);
    const loss = scope("loss", () => sum(mul(x, x)));
    expect(printGraph(gradients(loss, [x]))).toMatchInlineSnapshot(`
      "%0 = input {"name":"x"}: [2]
      %1 = constant {"values":1}: []
      %2 = reshape %1: [1] (grad(loss))
      %3 = broadcastTo %2: [2] (grad(loss))
      %4 = mul %3 %0: [2] (grad(loss))
      %5 = mul %3 %0: [2] (grad(loss))
      %6 = add %4 %5: [2] (grad(loss))
      return %6"
    `);
  });
});

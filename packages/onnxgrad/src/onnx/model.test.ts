import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import { add, mul } from "../ops/arithmetic.ts";
import { exp } from "../ops/elementary.ts";
import { constant, input } from "../ops/source.ts";
import { node } from "../runtime/node/node.ts";
import type { Tensor } from "../trace/tensor.ts";
import { toOnnx } from "./model.ts";

/** Runs a model on ONNX Runtime with [2] inputs and outputs. */
async function run(bytes: Uint8Array, feeds: Record<string, number[]>, outputs: readonly string[]) {
  const backend = node({ threads: 1 });
  const session = await backend.createSession(bytes);
  const wrap = (values: ArrayLike<number>) => backend.tensor(Float32Array.from(values), [values.length]);
  const fetches = Object.fromEntries(outputs.map((name) => [name, wrap([0, 0])]));
  await session.run(Object.fromEntries(Object.entries(feeds).map(([k, v]) => [k, wrap(v)])), fetches);
  await session.release();
  return outputs.map((name) => [...(fetches[name]!.data as Float32Array)]);
}

describe("toOnnx()", () => {
  test("writes the graph, its interface and metadata in ONNX's own schema", () => {
    const x = input("x", [2]);
    const { bytes, inputs, outputs } = toOnnx(
      { y: add(mul(x, 2), 2) },
      { name: "twice", metadata: { licence: "MIT" } },
    );
    const model = fromBinary(ModelProtoSchema, bytes);
    expect(model.graph!.name).toBe("twice");
    expect(model.graph!.node.map(({ opType }) => opType)).toEqual(["Mul", "Add"]);
    expect(model.graph!.initializer, "equal constants are written once").toHaveLength(1);
    expect(model.metadataProps.map(({ key, value }) => [key, value])).toEqual([["licence", "MIT"]]);
    expect(model.opsetImport.map(({ domain, version }) => [domain, Number(version)])).toEqual([["", 20]]);
    expect(inputs.map(({ name, spec }) => [name, ...spec.shape])).toEqual([["x", 2]]);
    expect(outputs.map(({ name, spec }) => [name, ...spec.shape])).toEqual([["y", 2]]);
  });

  test("gives equal bytes for equal graphs", () => {
    const make = () => toOnnx({ y: exp(add(input("x", [2]), constant([1, 2]))) }).bytes;
    expect(make()).toEqual(make());
  });

  test("keeps public names apart from those inside", async () => {
    const [v0, c1] = [input("v0", [2]), input("c1", [2])];
    const { bytes } = toOnnx({ v1: mul(add(v0, 3), 5), c0: exp(mul(c1, 0)) });
    expect(await run(bytes, { v0: [1, 2], c1: [7, 8] }, ["v1", "c0"])).toEqual([
      [20, 25],
      [1, 1],
    ]);
  });

  test("takes two inputs of one name for one, unless they differ", async () => {
    const { bytes, inputs } = toOnnx({ y: add(input("x", [2]), mul(input("x", [2]), 10)) });
    expect(inputs).toHaveLength(1);
    expect(await run(bytes, { x: [1, 2] }, ["y"])).toEqual([[11, 22]]);
    expect(() => toOnnx({ y: add(input("x", [2]), input("x", [1])) })).toThrow(
      'two inputs are named "x", [2] and [1]',
    );
  });

  test("refuses an output of the name of an input", () => {
    const x: Tensor = input("x", [2]);
    expect(() => toOnnx({ x: exp(x) })).toThrow('"x" names an input and an output');
  });

  test("writes large and small constants exactly", async () => {
    const large = Float32Array.from({ length: 2000 }, (_, i) => Math.fround(Math.sin(i)));
    const x = input("x", [2]);
    const picked = constant([large[0]!, large[1999]!]);
    const { bytes } = toOnnx({ y: add(x, picked), big: add(constant(large), 0) });
    const backend = node({ threads: 1 });
    const session = await backend.createSession(bytes);
    const big = new Float32Array(2000);
    const y = new Float32Array(2);
    await session.run(
      { x: backend.tensor(new Float32Array(2), [2]) },
      { big: backend.tensor(big, [2000]), y: backend.tensor(y, [2]) },
    );
    await session.release();
    expect(big).toEqual(large);
    expect([...y]).toEqual([large[0], large[1999]]);
  });
});

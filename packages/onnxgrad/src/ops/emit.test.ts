import { fromBinary } from "@bufbuild/protobuf";
import { ModelProtoSchema } from "onnx-buf";
import { describe, expect, test } from "vitest";
import { toOnnx } from "../onnx/model.ts";
import { node } from "../runtime/node/node.ts";
import { caseGraph, compositeCases, opCases } from "../testing/index.ts";
import { mul } from "./arithmetic.ts";
import { concat, split } from "./concat.ts";
import { input } from "./source.ts";

/** Storage buffers of a shader that every WebGPU has: `maxStorageBuffersPerShaderStage` of the standard. */
const LIMIT = 8;

const nodesOf = (bytes: Uint8Array) => fromBinary(ModelProtoSchema, bytes).graph!.node;
const widest = (bytes: Uint8Array) =>
  Math.max(...nodesOf(bytes).map(({ input: inputs, output }) => inputs.length + output.length));

/** Cuts [0, 1, 2, ...] into `count` parts of 1, 2, 3, 1, ... numbers, multiplies part i by i + 1, and joins them again. */
function cutAndJoined(count: number) {
  const sizes = Array.from({ length: count }, (_, i) => 1 + (i % 3));
  const total = sizes.reduce((a, b) => a + b, 0);
  const parts = split(input("x", [total]), sizes, 0);
  const y = concat(
    parts.map((part, i) => mul(part, i + 1)),
    0,
  );
  const owner = sizes.flatMap((size, i) => Array<number>(size).fill(i + 1));
  return { y, expected: owner.map((factor, i) => factor * i) };
}

describe("joined() and parted()", () => {
  test("give every part its place, in nodes that WebGPU can bind, for any number of parts", async () => {
    const backend = node({ threads: 1 });
    for (const count of [2, 5, 6, 7, 8, 9, 12, 13, 36, 37, 40, 49, 50, 217, 344]) {
      const { y, expected } = cutAndJoined(count);
      const { bytes } = toOnnx({ y });
      expect(widest(bytes), `${count} parts`).toBeLessThanOrEqual(LIMIT);
      const session = await backend.createSession(bytes);
      const got = new Float32Array(y.size);
      await session.run(
        {
          x: backend.tensor(
            Float32Array.from(got, (_, i) => i),
            y.shape,
          ),
        },
        { y: backend.tensor(got, y.shape) },
      );
      await session.release();
      expect([...got], `${count} parts`).toEqual(expected);
    }
  });

  test("take one node each where a processor has no such limit", () => {
    const { bytes } = toOnnx({ y: cutAndJoined(40).y }, { manyValues: true });
    const types = nodesOf(bytes).map(({ opType }) => opType);
    expect(types.filter((type) => type !== "Mul")).toEqual(["Split", "Concat"]);
  });

  test("refuse parts of the batch, and no sums that happen to be multiples of it", () => {
    const dynamicBatch = { traced: 977, name: "n" };
    const x = input("x", [977, 40]);
    const sizes = [...Array<number>(7).fill(1), 970, 7]; // of which the last two are one group
    const flat = input("w", [sizes.reduce((a, b) => a + b, 0)]);
    expect(() => toOnnx({ y: mul(x, 2), z: split(flat, sizes, 0)[7]! }, { dynamicBatch })).not.toThrow();
    expect(() => toOnnx({ y: split(input("x", [1954, 2]), [977, 977], 0)[1]! }, { dynamicBatch })).toThrow(
      "batch",
    );
  });
});

describe("a written model", () => {
  test.each(["cpu", "gpu"] as const)(
    "has no node above that limit, whatever the operation, with gradients (%s)",
    (processor) => {
      for (const [name, cases] of Object.entries({ ...opCases, ...compositeCases }))
        for (const each of cases) {
          const { feeds, trace } = caseGraph(name, each);
          const made = trace(
            Object.fromEntries(
              Object.entries(feeds).map(([key, { spec }]) => [key, input(key, spec.shape, spec.dtype)]),
            ),
          );
          const outputs = { ...made.forward, ...made.first, ...made.second };
          if (Object.keys(outputs).length === 0) continue;
          expect(widest(toOnnx(outputs, { processor }).bytes), `${name}, ${each.name}`).toBeLessThanOrEqual(
            LIMIT,
          );
        }
    },
  );
});

/** @module Models that are odd and valid give what ONNX Runtime gives; damaged ones are answered, whatever they are. */
import { describe, expect, test } from "vitest";
import { floats, ints, node, relu } from "../../../../tests/support/hostile-model.ts";
import { answer } from "../../../../tests/support/import-answer.ts";
import { bytesOf, type ModelCase, modelOf, runOrt } from "../../../../tests/support/onnx-cases.ts";
import { mutated, seedModels } from "../../../../tests/support/onnx-mutations.ts";
import { printable, UserError } from "../errors.ts";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { expectClose } from "../testing/expect-close.ts";
import { importModel } from "./import-model.ts";
import { toOnnx } from "./model.ts";

const IMAGE = [1, 3, 8, 8];

describe("importModel() of an odd model that is valid", () => {
  const data = Float32Array.from({ length: 192 }, (_, i) => Math.sin(i));

  test.each<[what: string, model: ModelCase | Uint8Array]>([
    [
      "names of what every object has",
      {
        ...relu,
        nodes: [
          { op: "Add", in: ["x", "x"], out: ["__proto__"] },
          { op: "Mul", in: ["__proto__", "x"], out: ["constructor"] },
        ],
        outputs: ["__proto__", "constructor"],
      },
    ],
    [
      "nodes in another order",
      {
        ...relu,
        nodes: [
          { op: "Neg", in: ["a"], out: ["y"] },
          { op: "Relu", in: ["x"], out: ["a"] },
        ],
      },
    ],
    ["open extents as -1", { ...relu, inputs: { x: [-1, 3, 8, -1] } }],
    ["its domain in full", { ...relu, nodes: [{ op: "Relu", domain: "ai.onnx", in: ["x"], out: ["y"] }] }],
    [
      "an empty bound of Clip as none",
      {
        ...relu,
        nodes: [{ op: "Clip", in: ["x", "", "h"], out: ["y"] }],
        stored: { h: { dims: [], values: [0.25] } },
      },
    ],
    ["an input that comes out", { ...relu, nodes: [], outputs: ["x"] }],
    ["the extents that Shape gives, clipped", node("Shape", { attrs: { start: -99n, end: 99n } })],
    [
      "extents of a part beyond the end",
      {
        ...relu,
        nodes: [
          { op: "Shape", in: ["x"], out: ["s"], attrs: { start: -2n, end: 2n ** 62n } },
          { op: "ConstantOfShape", in: ["s"], out: ["y"] },
        ],
      },
    ],
    [
      "what PyTorch writes for expand()",
      {
        ...relu,
        inputs: { x: [1, 3, 1, 8] },
        stored: { s: ints(-1, -1, 4, -1), m: ints(-1), k: ints(4) },
        nodes: [
          { op: "ConstantOfShape", in: ["k"], out: ["o"], attrs: { value: { tensor: ints(1) } } },
          { op: "Mul", in: ["o", "m"], out: ["n"] },
          { op: "Equal", in: ["s", "n"], out: ["e"] },
          { op: "Where", in: ["e", "o", "s"], out: ["t"] },
          { op: "Expand", in: ["x", "t"], out: ["y"] },
        ],
      },
    ],
    [
      "float16 weights that are converted",
      {
        ...relu,
        stored: { h: { dims: [8], type: "float16", values: [0x3c00, 0x3555, 0xfbff, 0x0001] } },
        nodes: [
          { op: "Cast", in: ["h"], out: ["w"], attrs: { to: 1n } },
          { op: "Mul", in: ["x", "w"], out: ["y"] },
        ],
      },
    ],
    [
      "constants that become float16 and back",
      {
        ...relu,
        stored: { h: { dims: [8], values: [0.1, 65_519, 1e-7, 3.14159, -2.00049, 1e6] } },
        nodes: [
          { op: "Cast", in: ["h"], out: ["g"], attrs: { to: 10n } },
          { op: "Cast", in: ["g"], out: ["w"], attrs: { to: 1n } },
          { op: "Max", in: ["x", "w"], out: ["y"] },
        ],
      },
    ],
    ...[...seedModels()].filter(([name]) => name.startsWith("seed")),
  ])("%s: computes what ONNX Runtime does", async (_, model) => {
    const bytes = model instanceof Uint8Array ? model : bytesOf(modelOf(model));
    const { results, error } = answer(bytes);
    expect(error).toBeUndefined();
    const shape =
      model instanceof Uint8Array
        ? IMAGE
        : (model.inputs?.["x"] ?? []).map((n, i) => (n === -1 ? IMAGE[i]! : Number(n)));
    const x = input("x", shape);
    const traced = importModel(bytes).apply({ x });
    expect(Object.keys(traced)).toEqual(Object.keys(results!));
    const fed = data.slice(0, x.size);
    const { results: onnx } = await runOrt(bytes, { x: { data: fed, dims: shape } });
    for (const [name, tensor] of Object.entries(traced)) {
      if (name === "__proto__") continue; // ONNX Runtime's own results lack it.
      const want = (onnx as Readonly<Record<string, { dims: readonly number[]; data: readonly number[] }>>)[
        name
      ]!;
      expect(tensor.shape).toEqual(want.dims);
      expectClose(interpret([tensor], { x: fed })[0]!.data, want.data, {
        rtol: 1e-5,
        atol: 1e-5,
        what: name,
      });
    }
  });

  test("a large weight that is transposed is left to the runtime, which computes the same", async () => {
    const weight = { dims: [1200, 1100], values: [0.5, -1, 2, 0.25, 1, -0.75, 3] };
    const bytes = bytesOf(
      modelOf({
        inputs: { x: [2, 1100] },
        stored: { w: weight },
        nodes: [
          { op: "Transpose", in: ["w"], out: ["t"] },
          { op: "MatMul", in: ["x", "t"], out: ["y"] },
        ],
        outputs: ["y"],
      }),
    );
    const begun = process.cpuUsage();
    const y = importModel(bytes).apply({ x: input("x", [2, 1100]) })["y"]!;
    expect(process.cpuUsage(begun).user / 1000).toBeLessThan(1000);
    expect(y.node.inputs[1]!.node.op.name).toBe("transpose");
    const fed = { x: { data: Float32Array.from({ length: 2200 }, (_, i) => Math.cos(i)), dims: [2, 1100] } };
    const [want, got] = [await runOrt(bytes, fed), await runOrt(toOnnx({ y }).bytes, fed)];
    expectClose(got.results["y"]!.data, want.results["y"]!.data, { rtol: 1e-5, atol: 1e-4, what: "y" });
  });

  test("indices that are fed pick what ONNX Runtime picks, from the end, too", async () => {
    const bytes = bytesOf(
      modelOf({
        inputs: { i: [2, 2] },
        types: { i: "int64" },
        stored: { table: floats(3, 4) },
        nodes: [{ op: "Gather", in: ["table", "i"], out: ["y"] }],
        outputs: ["y"],
      }),
    );
    const y = importModel(bytes).apply({ i: input("i", [2, 2], "int64") })["y"]!;
    const fed = { i: { data: BigInt64Array.of(0n, -1n, 2n, -3n), dims: [2, 2] } };
    const want = (await runOrt(bytes, fed)).results["y"]!;
    expect(y.shape).toEqual(want.dims);
    expectClose((await runOrt(toOnnx({ y }).bytes, fed)).results["y"]!.data, want.data, { what: "backend" });
    expectClose(interpret([y], { i: Float64Array.of(0, -1, 2, -3) })[0]!.data, want.data, {
      what: "reference",
    });
  });

  test("an input with a name of every object is asked for", () => {
    const model = importModel(
      bytesOf(
        modelOf({
          inputs: { ["__proto__"]: [2], toString: [2] },
          nodes: [{ op: "Add", in: ["toString", "x"], out: ["y"] }],
          stored: { x: floats(2) },
          outputs: ["y"],
        }),
      ),
    );
    expect(() => model.apply({})).toThrow('input "toString" is missing');
  });
});

describe("importModel() of damaged models", () => {
  test("answers each in a second of work, by a result or a refusal that was foreseen", () => {
    const seeds = [...seedModels()];
    const complaints: string[] = [];
    let refused = 0;
    let read = 0;
    for (let index = 0; index < 1500; index++) {
      const [name, bytes] = seeds[index % seeds.length]!;
      const { error, took } = answer(mutated(bytes, 13, index));
      const what = `damage ${index} of ${name}`;
      if (took > 1000) complaints.push(`${what}: took ${took} ms`);
      if (error === undefined) read++;
      else if (!(error instanceof UserError)) complaints.push(`${what}: ${String(error)}`);
      else {
        refused++;
        const { message, cause, code } = error;
        if (printable(message) !== message || message.includes("\n")) complaints.push(`${what}: ${message}`);
        if (code !== "import/format" && cause !== undefined && !(cause instanceof UserError))
          complaints.push(`${what}: unforeseen: ${String((cause as Error).stack)}`);
      }
    }
    expect(complaints).toEqual([]);
    expect(refused).toBeGreaterThan(500);
    expect(read).toBeGreaterThan(100);
  });
});

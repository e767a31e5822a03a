/**
 * @module Models that somebody made to break the importer, or that were damaged: each is answered in a second of work,
 * by a result or by a refusal that names the node, and nothing of theirs reaches a terminal unescaped.
 */
import { describe, expect, test } from "vitest";
import { create } from "@bufbuild/protobuf";
import { FunctionProtoSchema, type ModelProto, SparseTensorProtoSchema } from "onnx-buf";
import {
  attributeOf,
  bytesOf,
  type ModelCase,
  modelOf,
  runOrt,
  type Stored,
} from "../../../../tests/support/onnx-cases.ts";
import { mutated, seedModels } from "../../../../tests/support/onnx-mutations.ts";
import { printable, UserError } from "../errors.ts";
import { interpret } from "../interpret/interpret.ts";
import { input } from "../ops/source.ts";
import { expectClose } from "../testing/expect-close.ts";
import type { Tensor } from "../trace/tensor.ts";
import { importModel } from "./import-model.ts";

const IMAGE = [1, 3, 8, 8];
const big = (...values: number[]) => values.map(BigInt);
const ints = (...values: number[]): Stored => ({ dims: [values.length], type: "int64", values });
const floats = (...dims: number[]): Stored => ({ dims, values: [0.5, -1, 2] });

interface Answer {
  /** The results, or the refusal. */
  readonly results?: Readonly<Record<string, Tensor>>;
  readonly error?: unknown;
  /** Milliseconds of processor time: the machine may be busy. */
  readonly took: number;
}

function answer(bytes: Uint8Array): Answer {
  const begun = process.cpuUsage();
  const took = () => {
    const { user, system } = process.cpuUsage(begun);
    return (user + system) / 1000;
  };
  try {
    const model = importModel(bytes);
    const given = Object.fromEntries(
      model.inputs.map(({ name, shape, dtype }) => [
        name,
        input(
          name,
          shape.map((n) => n ?? 2),
          dtype,
        ),
      ]),
    );
    return { results: model.apply(given), took: took() };
  } catch (error) {
    return { error, took: took() };
  }
}

/** The model of one node on x [1,3,8,8]. */
const node = (
  op: string,
  {
    stored = {},
    attrs = {},
    opset = 17,
    out = ["y"],
  }: {
    stored?: Record<string, Stored>;
    attrs?: ModelCase["nodes"][number]["attrs"] & {};
    opset?: number;
    out?: string[];
  } = {},
  x: readonly string[] = ["x"],
): ModelCase => ({
  opset,
  inputs: { x: IMAGE },
  stored,
  nodes: [{ op, name: "bad", in: [...x, ...Object.keys(stored)], out, attrs }],
  outputs: [out[0]!],
});

/** `op` on what ConstantOfShape makes, `times` times. */
const chain = (op: string, times: number, shape: readonly number[], twice = false): ModelCase => ({
  stored: { s: ints(...shape) },
  nodes: [
    { op: "ConstantOfShape", name: "ones", in: ["s"], out: ["t0"] },
    ...Array.from({ length: times }, (_, i) => ({
      op,
      name: `step${i}`,
      in: twice ? [`t${i}`, `t${i}`] : [`t${i}`],
      out: [`t${i + 1}`],
      ...(op === "Concat" && { attrs: { axis: 0n } }),
    })),
  ],
  outputs: [`t${times}`],
});

const damaged = (model: ModelCase, damage: (model: ModelProto) => void): Uint8Array => {
  const made = modelOf(model);
  damage(made);
  return bytesOf(made);
};
const relu = node("Relu");
const add = node("Add", { stored: { w: floats(8) } });

describe("importModel() of a hostile model", () => {
  test.each<[what: string, model: ModelCase | Uint8Array, code: string, says: string]>([
    // Sizes
    [
      "2^29 ones",
      chain("Relu", 0, [2 ** 29]),
      "import/too-large",
      'node "ones" (ConstantOfShape): makes a tensor [536870912]',
    ],
    ["2^32 ones", chain("Relu", 0, [65_536, 65_536]), "import/too-large", 'node "ones" (ConstantOfShape)'],
    [
      "2^27 ones",
      chain("Relu", 0, [2 ** 27]),
      "import/too-large",
      "to 134,217,729 elements; at most 4,194,304",
    ],
    [
      "2^106 ones",
      chain("Relu", 0, [2 ** 53 - 1, 2 ** 53 - 1]),
      "import/too-large",
      'node "ones" (ConstantOfShape)',
    ],
    [
      "ones of negative extent",
      chain("Relu", 0, [-5]),
      "import/node",
      'node "ones" (ConstantOfShape): shape [-5]',
    ],
    [
      "joining with itself, 27 times",
      chain("Concat", 27, [1], true),
      "import/too-large",
      'node "step21" (Concat): brings what the model makes',
    ],
    ["joining with itself, 1000 times", chain("Concat", 1000, [1], true), "import/too-large", "elements"],
    [
      "3000 x 3000 products",
      chain("MatMul", 1, [3000, 3000], true),
      "import/too-large",
      "(ConstantOfShape): brings what",
    ],
    [
      "1000 x 1000 products",
      chain("MatMul", 1, [1000, 1000], true),
      "import/too-large",
      "multiply-accumulates",
    ],
    [
      "products again and again",
      chain("MatMul", 60, [250, 250], true),
      "import/too-large",
      "multiply-accumulates",
    ],
    [
      "repeating to 2^40",
      node("Expand", { stored: { c: floats(1), s: ints(2 ** 40) } }, []),
      "import/too-large",
      'node "bad" (Expand): makes a tensor [1099511627776]',
    ],
    [
      "repeating to 2^29",
      node("Expand", { stored: { c: floats(1), s: ints(2 ** 29) } }, []),
      "import/too-large",
      "536,870,912",
    ],
    [
      "repeating to 100,000 dimensions",
      node("Expand", { stored: { s: { dims: [100_000], type: "int64", values: [1] } } }),
      "import/too-large",
      "100000 dimensions",
    ],
    [
      "shaping to 100,000 dimensions",
      node("Reshape", { stored: { s: { dims: [100_000], type: "int64", values: [1] } } }),
      "import/node",
      "...",
    ],
    [
      "padding by 2^30",
      node("Pad", { stored: { s: ints(0, 0, 2 ** 30, 0, 0, 0, 0, 2 ** 30) } }),
      "import/too-large",
      'node "bad" (Pad)',
    ],
    [
      "padding by 2^53",
      node("Pad", { stored: { s: ints(0, 0, 0, 0, 0, 0, 0, 2 ** 53) } }),
      "import/node",
      "a pad is too large",
    ],
    [
      "resizing to 2^31",
      node("Resize", {
        attrs: { mode: "linear" },
        stored: { e: floats(0), f: floats(0), z: ints(1, 3, 2 ** 31, 2 ** 31) },
      }),
      "import/node",
      "extents up to 65536",
    ],
    [
      "resizing by 10^9",
      node("Resize", { stored: { e: floats(0), z: { dims: [4], values: [1, 1, 1e9, 1] } } }),
      "import/node",
      "extents up to 65536",
    ],
    [
      "resizing by NaN",
      node("Resize", { stored: { e: floats(0), z: { dims: [4], values: [1, 1, NaN, NaN] } } }),
      "import/node",
      "are not positive",
    ],
    [
      "a window of 20,000 x 20,000",
      node("AveragePool", {
        attrs: { kernel_shape: big(20_000, 20_000), pads: big(19_999, 19_999, 19_999, 19_999) },
      }),
      "import/node",
      "window 20000 x 20000",
    ],
    [
      "strides of 2^40",
      node("MaxPool", { attrs: { kernel_shape: big(2, 2), strides: big(2 ** 40, 1) } }),
      "import/node",
      'attribute "strides" is 1099511627776, 1',
    ],
    [
      "a million groups",
      node("ConvTranspose", {
        attrs: { group: 1_000_000n, strides: big(100_000, 100_000) },
        stored: { w: floats(3, 3, 3, 3) },
      }),
      "import/node",
      'node "bad" (ConvTranspose)',
    ],
    [
      "no groups",
      node("Conv", { attrs: { group: 0n }, stored: { w: floats(1, 3, 3, 3) } }),
      "import/node",
      'attribute "group" is 0',
    ],
    [
      "steps of 0",
      node("Conv", { attrs: { strides: big(0, 0) }, stored: { w: floats(1, 3, 3, 3) } }),
      "import/node",
      'attribute "strides" is 0, 0',
    ],
    [
      "a million axes",
      node("Unsqueeze", { stored: { a: ints(10 ** 9, 10 ** 9) } }),
      "import/node",
      "axis 1000000000",
    ],
    ["too many nodes", chain("Relu", 20_000, [1]), "import/too-large", "20001 nodes; at most 16384"],
    [
      "dividing by zero",
      node("Div", { stored: { a: ints(1, 2), b: ints(0, 1) } }, []),
      "import/node",
      "divided by zero",
    ],
    [
      "whole numbers beyond 2^53",
      node("Mul", { stored: { a: ints(2 ** 40), b: ints(2 ** 40) } }, []),
      "import/node",
      "too large",
    ],
    [
      "whole numbers that are fed",
      { ...node("Add", { stored: { a: ints(1) } }), types: { x: "int64" } },
      "import/node",
      "whole numbers must be constant",
    ],
    // Stored tensors
    [
      "a negative extent",
      node("Identity", { stored: { w: { dims: [-1, -2], values: [] } } }, []),
      "import/format",
      'tensor "w" has a dimension of -1',
    ],
    [
      "extents beyond numbers",
      node("Identity", { stored: { w: { dims: [2 ** 53, 2 ** 53, 0], values: [] } } }, []),
      "import/format",
      'tensor "w" has a dimension of',
    ],
    [
      "extents beyond memory",
      node("Identity", { stored: { w: { dims: [2 ** 31, 2 ** 31], values: [] } } }, []),
      "import/format",
      "too large",
    ],
    [
      "3 bytes",
      damaged(add, (m) => (m.graph!.initializer[0]!.rawData = new Uint8Array(3))),
      "import/format",
      "3 bytes, and its shape [8] of float takes 32",
    ],
    [
      "too many values",
      damaged(add, (m) => void m.graph!.initializer[0]!.floatData.push(1)),
      "import/format",
      "holds 9 values",
    ],
    [
      "no values",
      damaged(add, (m) => (m.graph!.initializer[0]!.floatData = [])),
      "import/format",
      "holds 0 values",
    ],
    [
      "values of another type",
      damaged(add, (m) => (m.graph!.initializer[0]!.dataType = 11)),
      "import/format",
      "holds 0 values",
    ],
    [
      "strings",
      damaged(add, (m) => (m.graph!.initializer[0]!.dataType = 8)),
      "import/unsupported",
      "has element type 8",
    ],
    [
      "a file of its own",
      damaged(add, (m) => (m.graph!.initializer[0]!.dataLocation = 1)),
      "import/unsupported",
      "stored in another file",
    ],
    [
      "a segment",
      damaged(
        add,
        (m) =>
          (m.graph!.initializer[0]!.segment = { $typeName: "onnx.TensorProto.Segment", begin: 0n, end: 8n }),
      ),
      "import/unsupported",
      "in segments",
    ],
    [
      "the name twice",
      damaged(add, (m) => void m.graph!.initializer.push(m.graph!.initializer[0]!)),
      "import/format",
      'two stored tensors are named "w"',
    ],
    [
      "only the numbers that are not zero",
      damaged(add, (m) => {
        const [values] = m.graph!.initializer.splice(0);
        m.graph!.sparseInitializer.push(create(SparseTensorProtoSchema, { values: values! }));
      }),
      "import/unsupported",
      'tensor "w" is stored as a sparse one',
    ],
    [
      "doubles beside floats",
      damaged(add, (m) => {
        const w = m.graph!.initializer[0]!;
        [w.dataType, w.doubleData] = [11, w.floatData];
      }),
      "import/node",
      "input 1 is of double, and another of float",
    ],
    [
      "float16 beside floats",
      damaged(add, (m) => {
        const w = m.graph!.initializer[0]!;
        [w.dataType, w.int32Data, w.floatData] = [10, w.floatData.map(() => 15_360), []];
      }),
      "import/node",
      "input 1 is of float16",
    ],
    // The graph
    [
      "a cycle",
      {
        ...relu,
        nodes: [
          { op: "Add", in: ["x", "b"], out: ["a"] },
          { op: "Add", in: ["x", "a"], out: ["b"] },
        ],
        outputs: ["b"],
      },
      "import/format",
      "cycle",
    ],
    [
      "a node of itself",
      { ...relu, nodes: [{ op: "Add", in: ["x", "a"], out: ["a"] }], outputs: ["a"] },
      "import/format",
      'node of "a" (Add) takes what it makes',
    ],
    [
      "a value twice",
      {
        ...relu,
        nodes: [
          { op: "Relu", in: ["x"], out: ["y"] },
          { op: "Neg", in: ["x"], out: ["y"] },
        ],
      },
      "import/format",
      'two values are named "y"',
    ],
    [
      "a value with an input's name",
      { ...relu, nodes: [{ op: "Relu", in: ["x"], out: ["x"] }], outputs: ["x"] },
      "import/format",
      'two values are named "x"',
    ],
    [
      "a value from nowhere",
      { ...relu, nodes: [{ op: "Relu", name: "r", in: ["z"], out: ["y"] }] },
      "import/format",
      'node "r" (Relu) takes "z", which nothing in the model makes',
    ],
    [
      "no inputs",
      { ...relu, nodes: [{ op: "Add", in: [], out: ["y"] }] },
      "import/node",
      "input 0 is missing",
    ],
    [
      "an empty input",
      { ...relu, nodes: [{ op: "Add", in: ["x", ""], out: ["y"] }] },
      "import/node",
      "input 1 is missing",
    ],
    ["one input too many", node("Neg", { stored: { w: floats(8) } }), "import/node", "input 1 is one more"],
    ["one output too many", node("Neg", { out: ["y", "z"] }), "import/node", "output 1 is one more"],
    ["no outputs", { ...relu, outputs: [] }, "import/format", "no outputs"],
    [
      "another type than it says",
      damaged(
        relu,
        (m) =>
          (m.graph!.output[0]!.type = modelOf({ ...relu, types: { x: "int64" } }).graph!.input[0]!.type!),
      ),
      "import/format",
      'makes float, and the model says that "y" is of int64',
    ],
    [
      "an output that no rule makes",
      {
        ...relu,
        nodes: [
          {
            op: "MaxPool",
            name: "p",
            in: ["x"],
            out: ["m", "i"],
            attrs: { kernel_shape: big(2, 2), strides: big(2, 2) },
          },
        ],
        outputs: ["i"],
      },
      "import/node",
      'node "p" (MaxPool): output 1 ("i") is not supported',
    ],
    // Attributes
    ["an attribute that is not there", node("Concat"), "import/node", 'attribute "axis" is missing'],
    [
      "an attribute of another kind",
      node("LeakyRelu", { attrs: { alpha: 1n } }),
      "import/node",
      'attribute "alpha" must be of kind float',
    ],
    [
      "an attribute of no kind",
      damaged(node("LeakyRelu", { attrs: { alpha: 1 } }), (m) => (m.graph!.node[0]!.attribute[0]!.type = 0)),
      "import/node",
      'attribute "alpha" must be of kind float',
    ],
    [
      "an attribute twice",
      damaged(relu, (m) => {
        m.graph!.node[0]!.opType = "LeakyRelu";
        m.graph!.node[0]!.attribute.push(attributeOf("alpha", 0.1), attributeOf("alpha", 0.2));
      }),
      "import/node",
      "is there twice",
    ],
    [
      "an unknown attribute",
      node("Relu", { attrs: { alpha: 0.1 } }),
      "import/node",
      'attribute "alpha" is not supported',
    ],
    [
      "an attribute of a later set",
      node("Shape", { attrs: { start: 1n }, opset: 13 }),
      "import/node",
      'attribute "start" is not supported in operator set 13',
    ],
    [
      "an operator of a later set",
      node("Gelu", { opset: 17 }),
      "import/unsupported",
      "operator set 17 has no Gelu",
    ],
    // Operators
    ["a loop", node("Loop"), "import/unsupported", 'node "bad" is Loop, which is not supported'],
    ["a branch", node("If"), "import/unsupported", 'node "bad" is If, which is not supported'],
    ["what every object has", node("toString"), "import/unsupported", "is toString, which is not supported"],
    ["what every object is", node("__proto__"), "import/unsupported", "is __proto__, which is not supported"],
    [
      "what made every object",
      node("constructor"),
      "import/unsupported",
      "is constructor, which is not supported",
    ],
    [
      "another domain",
      { ...relu, nodes: [{ op: "Relu", domain: "evil", in: ["x"], out: ["y"] }] },
      "import/unsupported",
      "is evil.Relu",
    ],
    [
      "an operator of its own over ours",
      damaged(relu, (m) => void m.functions.push(create(FunctionProtoSchema, { name: "Relu", domain: "" }))),
      "import/unsupported",
      "a function that the file defines",
    ],
    [
      "a bound that is empty",
      node("Clip", { stored: { low: floats(0) } }),
      "import/node",
      "input 1 [0] is empty",
    ],
    [
      "a bound of two",
      node("Clip", { stored: { low: floats(2) } }),
      "import/node",
      'node "bad" (Clip): input 1 (min) must be one number',
    ],
    [
      "a bound that is no number",
      node("Clip", { stored: { low: { dims: [], values: [NaN] } } }),
      "import/node",
      "no number",
    ],
    // Inputs and sets
    [
      "an input of negative extent",
      { ...relu, inputs: { x: [1, 2 ** 40] } },
      "import/unsupported",
      'input "x" has a dimension of 1099511627776',
    ],
    [
      "an input of extent 0",
      { ...relu, inputs: { x: [1, 0] } },
      "import/unsupported",
      'input "x" has a dimension of 0',
    ],
    [
      "an input of float16",
      { ...relu, types: { x: "float16" } },
      "import/unsupported",
      'input "x" is of float16',
    ],
    [
      "an input of strings",
      { ...relu, types: { x: "string" } },
      "import/unsupported",
      'input "x" is of element type 8',
    ],
    [
      "an input without a shape",
      damaged(relu, (m) => {
        const type = m.graph!.input[0]!.type!.value;
        if (type.case === "tensorType") delete type.value.shape;
      }),
      "import/unsupported",
      'input "x" has no shape',
    ],
    [
      "an input without a type",
      damaged(relu, (m) => void delete m.graph!.input[0]!.type),
      "import/unsupported",
      'input "x" is no tensor',
    ],
    [
      "two operator sets",
      damaged(relu, (m) => void m.opsetImport.push({ ...m.opsetImport[0]!, version: 13n })),
      "import/format",
      "operator sets 17 and 13",
    ],
    ["operator set 6", { ...relu, opset: 6 }, "import/format", "operator set 6. Supported are 7 to 22"],
    ["operator set 2^31", { ...relu, opset: 2 ** 31 }, "import/format", "operator set 2147483648"],
    ["no graph", damaged(relu, (m) => void delete m.graph), "import/format", "no ONNX model"],
    ["half of it", bytesOf(modelOf(relu)).subarray(0, 40), "import/format", "no ONNX model"],
    ["text", new TextEncoder().encode("<html><body>404</body></html>"), "import/format", "no ONNX model"],
    ["zeros", new Uint8Array(1000), "import/format", "no ONNX model"],
  ])("%s is refused at once, by name", (_, model, code, says) => {
    const { error, took } = answer(model instanceof Uint8Array ? model : bytesOf(modelOf(model)));
    expect(error).toBeInstanceOf(UserError);
    expect((error as UserError).message).toContain(says);
    expect((error as UserError).code).toBe(code);
    expect(took).toBeLessThan(1000);
  });

  test("control characters of its names are written out, whatever they name", () => {
    const name = "n\n\u001b[2J\u202e\u009b31m";
    const shown = String.raw`n\n\x1b[2J\u202e\x9b31m`;
    const cases: readonly ModelCase[] = [
      { ...relu, nodes: [{ op: `Bogus${name}`, name, in: ["x"], out: ["y"] }] },
      { ...relu, nodes: [{ op: "Relu", domain: name, in: ["x"], out: ["y"] }] },
      { ...relu, nodes: [{ op: "Relu", name, in: [name], out: ["y"] }] },
      { ...relu, nodes: [{ op: "MatMul", name, in: ["x", "x"], out: ["y"] }], inputs: { x: [2, 3] } },
      { ...relu, nodes: [{ op: "Flatten", name, in: ["x"], out: ["y"], attrs: { axis: 99n } }] },
      { ...relu, nodes: [{ op: "Relu", name: "r", in: ["x"], out: ["y"], attrs: { [name]: 1n } }] },
      {
        ...relu,
        nodes: [{ op: "Resize", name: "r", in: ["x", "", "", "z"], out: ["y"], attrs: { mode: name } }],
        stored: { z: ints(1, 3, 4, 4) },
      },
      { ...relu, nodes: [{ op: "Relu", in: [name], out: ["y"] }], inputs: { [name]: [1, 0] } },
      {
        ...relu,
        nodes: [{ op: "Relu", in: [name], out: ["y"] }],
        stored: { [name]: { dims: [-1], values: [] } },
      },
      {
        ...relu,
        nodes: [
          { op: "Relu", in: ["x"], out: [name] },
          { op: "Neg", in: ["x"], out: [name] },
        ],
        outputs: [name],
      },
    ];
    for (const model of cases) {
      const { error } = answer(bytesOf(modelOf(model)));
      const { message } = error as UserError;
      expect(error).toBeInstanceOf(UserError);
      expect(message).toContain(shown);
      expect(printable(message)).toBe(message);
    }
    expect(() => importModel(bytesOf(modelOf(relu)), { outputs: [name] })).toThrow(shown);
    const open = modelOf({
      ...relu,
      inputs: { [name]: IMAGE },
      nodes: [{ op: "Relu", in: [name], out: ["y"] }],
    });
    expect(() => importModel(bytesOf(open)).apply({})).toThrow(shown);
  });
});

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
    const onnx = await runOrt(bytes, { x: { data: fed, dims: shape } });
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

/** @module Models that contradict themselves, their operators or the standard. */
import { add, big, damaged, floats, type Hostile, node, relu } from "./hostile-model.ts";
import { attributeOf, bytesOf, modelOf } from "./onnx-cases.ts";
import { create } from "@bufbuild/protobuf";
import { FunctionProtoSchema, SparseTensorProtoSchema } from "onnx-buf";

/** How a field of a message begins: its number, and how many bytes follow. */
function header(number: number, length: number): readonly number[] {
  const digits: number[] = [8 * number + 2];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    digits.push(rest < 128 ? rest : (rest % 128) + 128);
    if (rest < 128) return digits;
  }
}

/** A graph whose node has an attribute that is a graph, and so on. */
function nested(depth: number): Uint8Array {
  const headers: (readonly number[])[] = [];
  let length = 0;
  const wrap = (number: number): void => {
    const each = header(number, length);
    headers.push(each);
    length += each.length;
  };
  for (let i = 0; i < depth; i++) for (const number of [6, 5, 1]) wrap(number);
  wrap(7);
  return Uint8Array.from([...headers.reverse().flat(), ...header(8, 2), 16, 17]);
}

/** Models that contradict themselves, their operators or the standard. */
export const GRAPHS: readonly Hostile[] = [
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
  ["no inputs", { ...relu, nodes: [{ op: "Add", in: [], out: ["y"] }] }, "import/node", "input 0 is missing"],
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
      (m) => (m.graph!.output[0]!.type = modelOf({ ...relu, types: { x: "int64" } }).graph!.input[0]!.type!),
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
  ["graphs within graphs", nested(20_000), "import/format", "no ONNX model"],
  // Attributes
  ["an attribute that is not there", node("Concat"), "import/node", 'attribute "axis" is missing'],
  [
    "an attribute of another kind",
    node("LeakyRelu", { attrs: { alpha: 1n } }),
    "import/node",
    'attribute "alpha" must be of kind float',
  ],
  [
    "a tensor that is not there",
    damaged(
      node("Constant", { attrs: { value: { tensor: floats(1) } } }, []),
      (m) => void delete m.graph!.node[0]!.attribute[0]!.t,
    ),
    "import/node",
    'attribute "value" must be of kind tensor',
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
];

/** @module Every operator of the importer against ONNX Runtime. */
import { describe, expect, test } from "vitest";
import { bothWays, normal } from "../../../../tests/support/imported-models.ts";
import type { OnnxAttribute } from "../ops/define-op.ts";
import { expectClose } from "../testing/expect-close.ts";
import type { Shape } from "../trace/tensor.ts";
import { IMPORT_RULES } from "./import-rules.ts";
import type { ModelBuilder } from "./model.ts";

/** A constant input of a node: floats of a shape (positive ones), integers, one number, or "" for none. */
type Constant = { readonly floats: Shape } | { readonly ints: readonly number[] } | number | "";

interface Case {
  /** Shapes of the fed inputs x0, x1, ..., which the node takes first; default: one image; none: it takes no image. */
  readonly x?: readonly Shape[];
  readonly constants?: readonly Constant[];
  readonly attrs?: Readonly<Record<string, OnnxAttribute>>;
  /** Outputs of the node; the case looks at the last one. */
  readonly outputs?: number;
  /** Feeds positive values. */
  readonly positive?: boolean;
  /** Writes more than the node, or something else. */
  readonly build?: (b: ModelBuilder, made: () => string) => string;
}

const IMAGE: Shape = [2, 4, 6, 5];
const big = (...values: number[]) => values.map(BigInt);
const toFloat = (b: ModelBuilder, made: () => string) => b.emit("Cast", [made()], { attrs: { to: 1n } })[0]!;

function writeCase(
  op: string,
  b: ModelBuilder,
  { x = [IMAGE], constants = [], attrs = {}, outputs = 1, build }: Case,
): string {
  const write = (each: Constant, i: number): string => {
    if (each === "") return "";
    if (typeof each === "number") return b.floats([], [each]);
    if ("ints" in each) return b.ints(each.ints);
    return b.floats(each.floats, normal(`${op}.${i}`, each.floats).map(Math.abs));
  };
  const made = () =>
    b.emit(op, [...x.map((_, i) => `x${i}`), ...constants.map(write)], { outputs, attrs }).at(-1)!;
  return build === undefined ? made() : build(b, made);
}

const CASES: Readonly<Record<string, readonly Case[]>> = {
  Abs: [{}],
  Add: [{ constants: [{ floats: [4, 1, 1] }] }, { x: [IMAGE, [6, 5]] }],
  AveragePool: [
    { attrs: { kernel_shape: big(2, 2), strides: big(2, 2) } },
    { attrs: { kernel_shape: big(3, 2), strides: big(2, 1), pads: big(1, 0, 1, 1) } },
    { attrs: { kernel_shape: big(3, 3), pads: big(1, 1, 1, 1), count_include_pad: 1n } },
  ],
  BatchNormalization: [
    {
      constants: [{ floats: [4] }, { floats: [4] }, { floats: [4] }, { floats: [4] }],
      positive: true,
      attrs: { epsilon: 0.01 },
    },
  ],
  Cast: [{ attrs: { to: 7n }, build: toFloat }],
  Clip: [{ constants: [-0.5, 0.7] }, { constants: ["", 0] }],
  Concat: [
    { x: [IMAGE, [2, 1, 6, 5]], attrs: { axis: 1n } },
    { x: [IMAGE, IMAGE], attrs: { axis: -1n } },
  ],
  Constant: [
    { x: [], attrs: { value_float: 2.5 }, build: (b, made) => b.emit("Mul", ["x0", made()])[0]! },
    { x: [], attrs: { value_ints: big(4, -1) }, build: (b, made) => b.emit("Reshape", ["x0", made()])[0]! },
  ],
  ConstantOfShape: [
    {
      x: [],
      constants: [{ ints: [6, 1] }],
      build: (b, made) => b.emit("Add", ["x0", b.emit("Exp", [made()])[0]!])[0]!,
    },
  ],
  Conv: [
    { constants: [{ floats: [6, 4, 3, 3] }, { floats: [6] }], attrs: { pads: big(1, 1, 1, 1) } },
    {
      constants: [{ floats: [6, 2, 3, 2] }],
      attrs: { group: 2n, strides: big(2, 1), pads: big(0, 1, 1, 0) },
    },
    { constants: [{ floats: [2, 4, 4, 3] }], attrs: { auto_pad: "SAME_UPPER" } },
    { constants: [{ floats: [2, 4, 2, 2] }], attrs: { strides: big(2, 2), auto_pad: "SAME_LOWER" } },
  ],
  ConvTranspose: [
    {
      constants: [{ floats: [4, 3, 3, 3] }, { floats: [3] }],
      attrs: { strides: big(2, 2), pads: big(1, 1, 1, 1), output_padding: big(1, 1) },
    },
  ],
  Cos: [{}],
  Div: [{ constants: [{ floats: [5] }], positive: true }],
  Dropout: [{}],
  Equal: [{ build: (b) => toFloat(b, () => b.emit("Equal", ["x0", b.emit("Relu", ["x0"])[0]!])[0]!) }],
  Erf: [{}],
  Exp: [{}],
  Expand: [{ x: [[4, 1, 5]], constants: [{ ints: [2, 1, 6, 1] }] }],
  Flatten: [{}, { attrs: { axis: 2n } }, { attrs: { axis: -1n } }],
  Gather: [
    { constants: [{ ints: [1, 0, -1] }], attrs: { axis: 1n } },
    { constants: [{ ints: [5, 2] }], attrs: { axis: -2n } },
  ],
  Gelu: [{}],
  Gemm: [
    {
      x: [[3, 4]],
      constants: [{ floats: [5, 4] }, { floats: [5] }],
      attrs: { transB: 1n, alpha: 0.5, beta: 2 },
    },
    { x: [[4, 3]], constants: [{ floats: [4, 2] }], attrs: { transA: 1n } },
  ],
  GlobalAveragePool: [{}],
  GlobalMaxPool: [{}],
  Greater: [{ constants: [0.1], build: toFloat }],
  GreaterOrEqual: [{ constants: [0.1], build: toFloat }],
  HardSigmoid: [{ attrs: { alpha: 0.3, beta: 0.4 } }],
  HardSwish: [{}],
  Identity: [{ build: (b, made) => b.emit("Neg", [made()])[0]! }],
  InstanceNormalization: [
    { constants: [{ floats: [4] }, { floats: [4] }], attrs: { epsilon: 1e-3 } },
    { x: [[2, 4, 30]], constants: [{ floats: [4] }, { floats: [4] }] },
  ],
  LayerNormalization: [{ constants: [{ floats: [5] }, { floats: [5] }] }, { constants: [{ floats: [5] }] }],
  LeakyRelu: [{ attrs: { alpha: 0.2 } }],
  Less: [{ constants: [0.1], build: toFloat }],
  LessOrEqual: [{ constants: [0.1], build: toFloat }],
  Log: [{ positive: true }],
  MatMul: [
    { constants: [{ floats: [5, 3] }] },
    {
      x: [
        [2, 1, 3, 4],
        [5, 4, 2],
      ],
    },
  ],
  Max: [{ x: [IMAGE, [5], [6, 1]] }],
  MaxPool: [
    { attrs: { kernel_shape: big(2, 2), strides: big(2, 2) } },
    { attrs: { kernel_shape: big(3, 3), strides: big(2, 2), pads: big(1, 1, 1, 1) } },
    { attrs: { kernel_shape: big(2, 2), strides: big(2, 2), ceil_mode: 1n } },
    {
      x: [[1, 2, 7, 7]],
      attrs: { kernel_shape: big(3, 3), strides: big(2, 2), pads: big(1, 1, 0, 0), ceil_mode: 1n },
    },
  ],
  Min: [{ x: [IMAGE, [5]] }],
  Mul: [{ constants: [{ floats: [4, 1, 1] }] }],
  Neg: [{}],
  Pad: [
    { constants: [{ ints: [0, 0, 1, 2, 0, 0, 0, 1] }] },
    { constants: [{ ints: [0, 0, 1, 2, 0, 0, 3, 1] }], attrs: { mode: "reflect" } },
    { constants: [{ ints: [1, 2] }, "", { ints: [3] }] },
  ],
  Pow: [{ constants: [2] }, { constants: [0.5], positive: true }],
  PRelu: [{ constants: [{ floats: [4, 1, 1] }] }],
  Reciprocal: [{ positive: true }],
  ReduceMax: [{ constants: [{ ints: [2, 3] }], attrs: { keepdims: 0n } }],
  ReduceMean: [{ constants: [{ ints: [-1, 1] }] }, {}],
  ReduceMin: [{ constants: [{ ints: [1] }] }],
  ReduceSum: [
    { constants: [{ ints: [0] }], attrs: { keepdims: 0n } },
    { attrs: { noop_with_empty_axes: 1n } },
  ],
  Relu: [{}],
  Reshape: [{ constants: [{ ints: [0, -1, 10] }] }, { constants: [{ ints: [-1] }] }],
  Resize: [
    {
      build: (b) =>
        b.emit("Resize", ["x0", "", b.floats([4], [1, 1, 2, 2])], {
          attrs: { mode: "nearest", coordinate_transformation_mode: "asymmetric", nearest_mode: "floor" },
        })[0]!,
    },
    {
      build: (b) =>
        b.emit("Resize", ["x0", "", b.floats([4], [1, 1, 3, 3])], { attrs: { mode: "nearest" } })[0]!,
    },
    {
      build: (b) => b.emit("Resize", ["x0", "", "", b.ints([2, 4, 9, 3])], { attrs: { mode: "linear" } })[0]!,
    },
    {
      build: (b) =>
        b.emit("Resize", ["x0", "", b.floats([4], [1, 1, 2, 1.6])], {
          attrs: { mode: "linear", coordinate_transformation_mode: "align_corners" },
        })[0]!,
    },
  ],
  // What PyTorch writes for x.view(2 * n, -1) and the like.
  Shape: [
    {
      x: [[2, 3, 4]],
      attrs: { end: 1n },
      build: (b, made) => {
        const rows = b.emit("Mul", [made(), b.ints([2])])[0]!;
        return b.emit("Reshape", [
          "x0",
          b.emit("Concat", [rows, b.ints([-1])], { attrs: { axis: 0n } })[0]!,
        ])[0]!;
      },
    },
    {
      build: (b, made) => {
        const extent = b.emit("Gather", [made(), b.ints(2)])[0]!;
        const half = b.emit("Div", [b.emit("Unsqueeze", [extent, b.ints([0])])[0]!, b.ints([4])])[0]!;
        return b.emit("Reshape", [
          "x0",
          b.emit("Concat", [half, b.ints([-1])], { attrs: { axis: 0n } })[0]!,
        ])[0]!;
      },
    },
  ],
  Sigmoid: [{}],
  Sin: [{}],
  Slice: [
    { constants: [{ ints: [1, 0] }, { ints: [5, -1] }, { ints: [2, 3] }, { ints: [2, 1] }] },
    { constants: [{ ints: [-1] }, { ints: [-100] }, { ints: [1] }, { ints: [-1] }] },
  ],
  Softmax: [{}, { attrs: { axis: 1n } }],
  Softplus: [{}],
  Split: [
    { constants: [{ ints: [1, 3] }], attrs: { axis: 1n }, outputs: 2 },
    { attrs: { axis: -1n, num_outputs: 2n }, outputs: 2 },
  ],
  Sqrt: [{ positive: true }],
  Squeeze: [{ x: [[2, 1, 3, 1]], constants: [{ ints: [-1] }] }, { x: [[2, 1, 3, 1]] }],
  Sub: [{ constants: [{ floats: [6, 1] }] }],
  Sum: [{ x: [IMAGE, [5], IMAGE] }],
  Tanh: [{}],
  Transpose: [{ attrs: { perm: big(0, 2, 3, 1) } }, {}],
  Unsqueeze: [{ constants: [{ ints: [0, -1] }] }],
  Where: [
    {
      build: (b) => {
        const positive = b.emit("Greater", ["x0", b.floats([], [0])])[0]!;
        return b.emit("Where", [positive, "x0", b.floats([5], [1, 2, 3, 4, 5])])[0]!;
      },
    },
  ],
};

describe("importModel(), operator by operator, against ONNX Runtime", () => {
  test.each(Object.entries(CASES).flatMap(([op, cases]) => cases.map((each, i) => ({ op, i, each }))))(
    "$op $i",
    async ({ op, i, each }) => {
      const shapes = each.x === undefined || each.x.length === 0 ? [IMAGE] : each.x;
      const inputs = Object.fromEntries(shapes.map((shape, k) => [`x${k}`, shape]));
      const values = Object.fromEntries(
        Object.entries(inputs).map(([name, shape]) => {
          const data = normal(`${op}.${name}`, shape);
          return [name, each.positive === true ? data.map((v) => Math.abs(v) + 0.1) : data];
        }),
      );
      const { onnx, ours } = await bothWays(inputs, (b) => writeCase(op, b, each), values);
      expect(
        onnx.some((value) => value !== 0),
        op,
      ).toBe(true);
      // float32 against float64.
      expectClose(onnx, ours, { rtol: 2e-5, atol: 1e-5, what: `${op} ${i}` });
    },
  );

  test("every supported operator has a case", () => {
    expect(Object.keys(CASES).toSorted()).toEqual(Object.keys(IMPORT_RULES).toSorted());
  });
});

/** @module Families of the importer's grid: functions of numbers, products, reductions and normalisations. */
import { ALL, big, type Family, flag, floats, IMAGE, int, ints, list, number } from "./onnx-grid-family.ts";

const unary = (op: string, positive = false): Family => ({ op, about: "all", opsets: ALL, positive });
const reduce = (op: string, since: number): readonly Family[] => [
  {
    op,
    about: "axes as attribute",
    opsets: [7, 11, 13, 17, 18],
    x: [IMAGE, [3, 4], []],
    attrs: {
      axes: [undefined, [], big(1), big(-1), big(0, 1), big(-1, -2), big(1, 1), big(4), big(-5)],
      keepdims: [undefined, 0n, 1n, 2n],
      noop_with_empty_axes: [undefined, 1n],
    },
  },
  {
    op,
    about: "axes as input",
    opsets: [13, since, 22],
    x: [IMAGE, []],
    inputs: [[undefined, "", ints(), ints(1), ints(-1, 0), ints(2, 2), ints(9), int(1)]],
    attrs: { keepdims: [undefined, 0n, 1n], noop_with_empty_axes: flag },
  },
];
const compare = (op: string): Family => ({
  op,
  about: "shapes",
  opsets: ALL,
  inputs: [[floats(IMAGE, 0, 0.5), floats([6]), floats([]), ints(1, 2), floats([4])]],
});
const arithmetic = (op: string): readonly Family[] => [
  {
    op,
    about: "shapes",
    opsets: ALL,
    inputs: [
      [floats(IMAGE), floats([6]), floats([5, 1]), floats([]), floats([3, 1, 1, 1]), floats([4]), ints(2)],
    ],
  },
  {
    op,
    about: "whole numbers",
    opsets: [7, 13],
    constant: true,
    inputs: [
      [ints(7, -7, 5), int(-9)],
      [ints(2, 2, -3), int(2), int(-4)],
    ],
  },
];

export const ARITHMETIC: readonly Family[] = [
  ...[
    "Abs",
    "Cos",
    "Erf",
    "Exp",
    "HardSwish",
    "Identity",
    "Neg",
    "Relu",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Tanh",
  ].map((op) => unary(op)),
  ...["Log", "Reciprocal", "Sqrt"].map((op) => unary(op, true)),
  ...["Add", "Sub", "Mul", "Div"].flatMap(arithmetic),
  ...["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"].map(compare),
  ...["Max", "Min", "Sum"].flatMap((op): readonly Family[] => [
    {
      op,
      about: "shapes",
      opsets: ALL,
      inputs: [
        [undefined, floats(IMAGE), floats([6]), ints(1)],
        [undefined, floats([5, 1])],
      ],
    },
    {
      op,
      about: "whole numbers",
      opsets: [8, 12, 13],
      constant: true,
      inputs: [[ints(7, -7, 5)], [ints(2, 2, -3), int(2)]],
    },
  ]),
  {
    op: "BatchNormalization",
    about: "attributes",
    opsets: [7, 8, 9, 14, 15],
    x: [[2, 3, 4, 5], [2, 3], [2, 3, 4], [3]],
    inputs: [
      [floats([3], 0.5, 1.5), floats([1], 2)],
      [floats([3])],
      [floats([3])],
      [floats([3], 0.5, 2, 0.1), floats([7], 1)],
    ],
    attrs: {
      epsilon: [undefined, 0.1],
      momentum: [undefined, 0.5],
      spatial: [undefined, 0n, 1n],
      training_mode: [undefined, 0n, 1n],
    },
  },
  // What uint8 does not hold is undefined.
  { op: "Cast", about: "to uint8", opsets: [7, 13, 19], positive: true, attrs: { to: [2n] } },
  {
    op: "Cast",
    about: "types",
    opsets: [7, 13, 19],
    attrs: { to: [1n, 3n, 6n, 7n, 8n, 9n, 10n, 11n, 16n, 99n, undefined, -1n] },
  },
  { op: "Cast", about: "saturate", opsets: [13, 19], attrs: { to: [1n, 7n], saturate: flag } },
  {
    op: "Cast",
    about: "constants",
    opsets: [13],
    constant: true,
    inputs: [[list(1.9, -1.9, 0, 200), list(0.1, 1e-7, 65_519, 7e4), list(0.0001, 3.14159)]],
    attrs: { to: [1n, 2n, 6n, 7n, 9n, 11n] },
  },
  {
    op: "Clip",
    about: "attributes",
    opsets: [7, 10, 11, 13],
    attrs: { min: [undefined, -0.5], max: [undefined, 0.5, -1] },
  },
  {
    op: "Clip",
    about: "inputs",
    opsets: [10, 11, 13],
    inputs: [
      [undefined, "", number(-0.5), list(-0.5), list(-0.5, 0), floats([0], 1)],
      [undefined, "", number(0.5), number(-1)],
    ],
  },
  {
    op: "Dropout",
    about: "attributes",
    opsets: [7, 10, 12, 13],
    inputs: [[undefined, "", number(0.5)]],
    attrs: { ratio: [undefined, 0.3], seed: [undefined, 1n] },
    outputs: [1, 2],
  },
  {
    op: "Gelu",
    about: "approximate",
    opsets: [19, 20],
    attrs: { approximate: [undefined, "none", "tanh", "other"] },
  },
  {
    op: "Gemm",
    about: "attributes",
    opsets: [7, 9, 11, 13],
    x: [[3, 4]],
    inputs: [
      [floats([4, 5]), floats([5, 4]), floats([3, 2])],
      [undefined, floats([5]), floats([3, 1]), floats([]), floats([2, 3, 5]), floats([4])],
    ],
    attrs: { transA: flag, transB: [undefined, 1n], alpha: [undefined, 0.5], beta: [undefined, 2, 0] },
  },
  {
    op: "Gemm",
    about: "other values",
    opsets: [13],
    x: [[3, 4], [1, 3, 4], [4]],
    inputs: [[floats([4, 5]), floats([5, 4])]],
    attrs: { transA: [-1n, 2n], transB: [2n, undefined] },
  },
  {
    op: "HardSigmoid",
    about: "attributes",
    opsets: [7, 22],
    attrs: { alpha: [undefined, 0.5, -1], beta: [undefined, 0.1, 2] },
  },
  {
    op: "InstanceNormalization",
    about: "attributes",
    opsets: [7, 22],
    x: [
      [2, 3, 4, 5],
      [2, 3, 4],
      [2, 3],
    ],
    inputs: [
      [floats([3]), floats([1]), floats([4])],
      [floats([3]), floats([3, 1])],
    ],
    attrs: { epsilon: [undefined, 0.1] },
  },
  {
    op: "LayerNormalization",
    about: "attributes",
    opsets: [13, 17],
    inputs: [
      [floats([6]), floats([5, 6]), floats([1]), floats([]), floats(IMAGE), floats([5])],
      [undefined, floats([6]), floats([5, 6]), floats([1])],
    ],
    attrs: {
      axis: [undefined, -1n, 3n, 2n, 0n, 4n, -5n],
      epsilon: [undefined, 0.1],
      stash_type: [undefined, 1n],
    },
    outputs: [1],
  },
  { op: "LayerNormalization", about: "outputs", opsets: [17], inputs: [[floats([6])]], outputs: [1, 2, 3] },
  { op: "LeakyRelu", about: "alpha", opsets: [7, 16], attrs: { alpha: [undefined, 0.3, -1, 2, 1n] } },
  {
    op: "MatMul",
    about: "shapes",
    opsets: [7, 13],
    x: [[4], [3, 4], [2, 3, 4], []],
    inputs: [
      [
        floats([4]),
        floats([4, 5]),
        floats([2, 4, 5]),
        floats([5, 4]),
        floats([3]),
        floats([]),
        floats([6, 1, 4, 2]),
      ],
    ],
  },
  {
    op: "Pow",
    about: "exponents",
    opsets: [7, 11, 12, 15],
    positive: true,
    inputs: [
      [
        number(2),
        number(0.5),
        number(-1),
        floats([6], 1, 2, 3),
        int(2),
        ints(3),
        ints(0, 1, 2, 3, -1, -2),
        { dims: [], type: "int32", values: [3] },
        floats([4]),
      ],
    ],
  },
  {
    op: "PRelu",
    about: "slopes",
    opsets: [7, 9, 16],
    inputs: [
      [
        floats([2, 1, 1]),
        floats([]),
        floats([1]),
        floats([6]),
        floats(IMAGE),
        floats([2]),
        floats([3, 1, 1, 1]),
        floats([2, 1, 2, 5, 6]),
      ],
    ],
  },
  ...reduce("ReduceMax", 18),
  ...reduce("ReduceMean", 18),
  ...reduce("ReduceMin", 18),
  ...reduce("ReduceSum", 13),
  {
    op: "Softmax",
    about: "axis",
    opsets: ALL,
    x: [IMAGE, [6], [2, 3], []],
    attrs: { axis: [undefined, 0n, 1n, 2n, 3n, 4n, -1n, -4n, -5n] },
  },
  {
    op: "Where",
    about: "branches",
    opsets: [8, 9, 16],
    inputs: [[floats([6]), floats([]), floats([4]), ints(1)]],
  },
];

/** @module The grid of the importer: operators with every value of every attribute, as models in data. */
import type { Attribute, CaseNode, ModelCase, Stored } from "./onnx-cases.ts";

/** One operator, and what is varied: the cases are the product of all lists. Undefined: left out. */
export interface Family {
  readonly op: string;
  /** Distinguishes families of one operator. */
  readonly about: string;
  readonly opsets: readonly number[];
  /** Shapes of the fed input x; default one image [1,2,5,6]. */
  readonly x?: readonly (readonly number[])[];
  /** Inputs of the node after x; "" leaves one out, undefined leaves it and all others out. */
  readonly inputs?: readonly (readonly (Stored | "" | undefined)[])[];
  readonly attrs?: Readonly<Record<string, readonly (Attribute | undefined)[]>>;
  readonly outputs?: readonly number[];
  /** Where the node does not take x: stored tensors take its place. */
  readonly constant?: boolean;
  /** Values of x are not negative. */
  readonly positive?: boolean;
}

export interface GridCase {
  readonly label: string;
  readonly op: string;
  readonly x: readonly number[];
  readonly model: ModelCase;
  readonly positive: boolean;
}

const ints = (...values: number[]): Stored => ({ dims: [values.length], type: "int64", values });
const int = (value: number): Stored => ({ dims: [], type: "int64", values: [value] });
const floats = (dims: readonly number[], ...values: number[]): Stored => ({
  dims,
  values: values.length > 0 ? values : [0.3, -0.7, 1.1, 0.2, -0.4],
});
const list = (...values: number[]): Stored => floats([values.length], ...values);
const number = (value: number): Stored => floats([], value);
const big = (...values: number[]) => values.map(BigInt);

const IMAGE = [1, 2, 5, 6];
const ALL = [7, 8, 9, 10, 11, 12, 13, 15, 17, 18, 19, 20, 22];
const unary = (op: string, positive = false): Family => ({ op, about: "all", opsets: ALL, positive });

const PADS = [undefined, big(1, 0, 1, 2), big(1, 1, 1, 1)];
const AUTO = [undefined, "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "same"];
const PLACES = [
  undefined,
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
];
const ROUNDINGS = [undefined, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"];
const flag = [undefined, 0n, 1n] as const;
const pool = (op: string, extra: Family["attrs"]): readonly Family[] => [
  {
    op,
    about: "pads",
    opsets: [7, 12, 22],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3), big(3, 2), undefined],
      strides: [undefined, big(2, 2), big(1, 2)],
      pads: [...PADS, big(3, 0, 0, 0), big(0, 0, 2, 2), big(-1, 0, 0, 0), big(1, 1)],
      ...extra,
    },
  },
  {
    op,
    about: "auto_pad",
    opsets: [9, 13],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3)],
      strides: [undefined, big(2, 2), big(3, 3)],
      auto_pad: AUTO,
      pads: [undefined, big(1, 1, 1, 1)],
    },
  },
  {
    op,
    about: "ceil_mode",
    opsets: [10, 19],
    x: [IMAGE, [1, 1, 7, 8]],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3)],
      strides: [undefined, big(2, 2), big(3, 3)],
      ceil_mode: flag,
      auto_pad: [undefined, "SAME_UPPER", "VALID"],
      pads: [undefined, big(1, 1, 1, 1), big(0, 1, 1, 0)],
      ...extra,
    },
  },
  {
    op,
    about: "dilations",
    opsets: [9, 11, 19],
    attrs: {
      kernel_shape: [big(2, 2)],
      dilations: [big(1, 1), big(2, 2), big(1, 2)],
      strides: [undefined, big(2, 2)],
      pads: [undefined, big(1, 1, 1, 1)],
      auto_pad: [undefined, "SAME_UPPER"],
    },
  },
  {
    op,
    about: "other ranks",
    opsets: [13],
    x: [
      [2, 6],
      [1, 2, 6],
      [1, 2, 4, 5, 6],
    ],
    attrs: { kernel_shape: [big(2), big(2, 2), big(2, 2, 2)] },
  },
];
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

export const FAMILIES: readonly Family[] = [
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
  ...pool("AveragePool", { count_include_pad: flag }),
  ...pool("MaxPool", { storage_order: [undefined, 1n] }),
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
    op: "Concat",
    about: "axis",
    opsets: [7, 11, 13],
    inputs: [[undefined, floats(IMAGE), floats([1, 3, 5, 6]), floats([1, 2, 5]), ints(1)]],
    attrs: { axis: [undefined, 0n, 1n, -1n, 3n, 4n, -4n, -5n] },
  },
  {
    op: "Constant",
    about: "values",
    opsets: [7, 11, 12, 13, 22],
    constant: true,
    attrs: {
      value: [
        undefined,
        { tensor: floats([2, 2]) },
        { tensor: ints(1, 2) },
        { tensor: { dims: [2], type: "double", values: [1, 2] } },
      ],
      value_float: [undefined, 2.5],
      value_floats: [undefined, [1.5, 2.5]],
      value_int: [undefined, 3n],
      value_ints: [undefined, big(3, 4)],
    },
  },
  {
    op: "ConstantOfShape",
    about: "value",
    opsets: [8, 9, 20],
    constant: true,
    inputs: [[ints(2, 3), ints(), ints(-1), ints(0, 2), int(2)]],
    attrs: {
      value: [
        undefined,
        { tensor: floats([1], 4) },
        { tensor: ints(5) },
        { tensor: ints(5, 6) },
        { tensor: floats([], 3) },
      ],
    },
  },
  {
    op: "Conv",
    about: "pads",
    opsets: [7, 11, 22],
    inputs: [
      [floats([4, 2, 3, 3]), floats([4, 2, 2, 3])],
      [undefined, floats([4])],
    ],
    attrs: {
      strides: [undefined, big(2, 2), big(1, 3), big(0, 0)],
      pads: [...PADS, big(-1, 0, 0, 0), big(1, 1)],
      dilations: [undefined, big(2, 1), big(0, 0)],
    },
  },
  {
    op: "Conv",
    about: "auto_pad",
    opsets: [11],
    inputs: [[floats([4, 2, 3, 3]), floats([4, 2, 2, 2])]],
    attrs: {
      auto_pad: AUTO,
      strides: [undefined, big(2, 2), big(3, 3)],
      dilations: [undefined, big(2, 2)],
      pads: [undefined, big(0, 0, 0, 0), big(1, 1, 1, 1)],
    },
  },
  {
    op: "Conv",
    about: "groups",
    opsets: [11],
    inputs: [
      [floats([4, 2, 3, 3]), floats([4, 1, 3, 3]), floats([3, 1, 3, 3])],
      [undefined, "", floats([4]), floats([1]), floats([4, 1])],
    ],
    attrs: { group: [undefined, 0n, 1n, 2n, -1n], kernel_shape: [undefined, big(3, 3), big(2, 2), big(3)] },
  },
  {
    op: "Conv",
    about: "other ranks",
    opsets: [11],
    x: [
      [2, 6],
      [1, 2, 6],
      [1, 2, 4, 5, 6],
    ],
    inputs: [[floats([3, 2, 2]), floats([3, 2, 2, 2]), floats([3, 2, 2, 2, 2])]],
  },
  {
    op: "ConvTranspose",
    about: "pads",
    opsets: [7, 11, 22],
    inputs: [
      [floats([2, 3, 3, 3]), floats([2, 3, 2, 3])],
      [undefined, floats([3]), floats([6])],
    ],
    attrs: {
      strides: [undefined, big(2, 2), big(1, 3)],
      pads: [...PADS, big(0, 0, 1, 1)],
      dilations: [undefined, big(2, 1)],
      output_padding: [undefined, big(1, 0), big(0, 1), big(2, 2)],
    },
  },
  {
    op: "ConvTranspose",
    about: "groups and sizes",
    opsets: [11],
    inputs: [[floats([2, 3, 3, 3])]],
    attrs: {
      group: [undefined, 1n, 2n],
      auto_pad: AUTO,
      output_shape: [undefined, big(8, 9)],
      kernel_shape: [undefined, big(3, 3), big(2, 2)],
      strides: [undefined, big(2, 2)],
    },
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
    op: "Expand",
    about: "shapes",
    opsets: [7, 8, 13],
    x: [IMAGE, [5, 1]],
    inputs: [
      [
        ints(1, 2, 5, 6),
        ints(3, 1, 5, 1),
        ints(1),
        ints(),
        ints(4),
        ints(-1),
        ints(2, 1, 1, 1, 1),
        ints(0),
        int(5),
      ],
    ],
  },
  {
    op: "Flatten",
    about: "axis",
    opsets: ALL,
    x: [IMAGE, [6], []],
    attrs: { axis: [undefined, 0n, 1n, 2n, 4n, 5n, -1n, -4n, -5n] },
  },
  {
    op: "Gather",
    about: "axis",
    opsets: [7, 11, 13],
    x: [IMAGE, [6]],
    inputs: [
      [
        ints(0, 1),
        ints(-1),
        int(1),
        int(-2),
        ints(5),
        ints(-9),
        { dims: [2, 2], type: "int64", values: [0, 1] },
        { dims: [1], type: "int32", values: [1] },
        list(1),
      ],
    ],
    attrs: { axis: [undefined, 0n, 1n, -1n, 3n, 4n, -5n] },
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
  ...["GlobalAveragePool", "GlobalMaxPool"].map((op): Family => ({
    op,
    about: "ranks",
    opsets: [7, 22],
    x: [IMAGE, [1, 2, 5], [1, 2, 3, 4, 5], [2, 3], [3]],
  })),
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
    op: "Pad",
    about: "attributes",
    opsets: [7, 10, 11],
    attrs: {
      mode: [undefined, "constant", "reflect", "edge", "wrap", "odd"],
      pads: [
        undefined,
        big(0, 0, 1, 2, 0, 0, 2, 1),
        big(0, 0, -1, 0, 0, 0, 1, -2),
        big(0, 0, 5, 0, 0, 0, 0, 6),
        big(0, 1, 4, 4, 0, 0, 4, 4),
        big(1, 1),
      ],
      value: [undefined, 1.5],
    },
  },
  {
    op: "Pad",
    about: "inputs",
    opsets: [10, 11, 18, 19],
    inputs: [
      [
        ints(0, 0, 1, 2, 0, 0, 2, 1),
        ints(0, 0, -1, 0, 0, 0, 1, -2),
        ints(0, 0, 0, 6, 0, 0, 5, 0),
        ints(1, 2),
        ints(1, 1, 2, 2),
      ],
      [undefined, "", number(1.5), list(1.5), list(1, 2), number(0)],
      [undefined, ints(3), ints(-1, -2), ints(4), ints(2, 2), { dims: [1], type: "int32", values: [2] }],
    ],
    attrs: { mode: [undefined, "reflect", "edge", "wrap"] },
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
    op: "Reshape",
    about: "shapes",
    opsets: [7, 13, 14],
    inputs: [
      [
        ints(6, 10),
        ints(-1),
        ints(0, -1),
        ints(0, 0, 0, 0),
        ints(0, 0, 0, 0, 0),
        ints(-1, -1),
        ints(7, -1),
        ints(1, 60),
        ints(2, 2),
        ints(),
        ints(-2, 30),
        int(60),
        { dims: [1, 1], type: "int64", values: [60] },
        ints(2 ** 40, -1),
        ints(0, 60),
      ],
    ],
    attrs: { allowzero: flag },
  },
  {
    op: "Resize",
    about: "operator set 10",
    opsets: [9, 10],
    inputs: [[list(1, 1, 2, 2), list(1, 1, 0.5, 0.7), list(1, 1, 1.5, 3), list(2, 1, 1, 1), list(2, 2)]],
    attrs: { mode: [undefined, "nearest", "linear", "cubic"] },
  },
  {
    op: "Resize",
    about: "nearest",
    opsets: [11, 19],
    x: [IMAGE, [1, 1, 1, 4]],
    inputs: [
      [floats([0], 1), ""],
      [list(1, 1, 2, 2), list(1, 1, 3, 2), list(1, 1, 0.5, 0.7), list(1, 1, 2.3, 1), list(1, 1, 0.4, 0.3)],
    ],
    attrs: { coordinate_transformation_mode: PLACES, nearest_mode: ROUNDINGS },
  },
  {
    op: "Resize",
    about: "nearest to sizes",
    opsets: [13, 18],
    inputs: [
      [""],
      [""],
      [
        ints(1, 2, 10, 12),
        ints(1, 2, 3, 4),
        ints(1, 2, 1, 1),
        ints(1, 2, 7, 7),
        ints(2, 3, 5, 6),
        ints(1, 2, 0, 3),
        ints(5, 6),
      ],
    ],
    attrs: { coordinate_transformation_mode: PLACES, nearest_mode: [undefined, "floor", "simple"] },
  },
  {
    op: "Resize",
    about: "linear and cubic",
    opsets: [11, 19],
    x: [IMAGE, [1, 1, 1, 4]],
    inputs: [
      [floats([0], 1)],
      [
        list(1, 1, 2, 2),
        list(1, 1, 3, 1),
        list(1, 1, 0.5, 0.7),
        list(1, 1, 2.3, 1.7),
        list(1, 1, 0.2, 0.3),
        list(2, 1, 1, 1),
      ],
    ],
    attrs: {
      mode: ["linear", "cubic", "bilinear"],
      coordinate_transformation_mode: PLACES,
      exclude_outside: [undefined, 1n],
      extrapolation_value: [undefined, 1.5],
    },
  },
  {
    op: "Resize",
    about: "linear and cubic to sizes",
    opsets: [13, 18],
    inputs: [
      [""],
      [""],
      [
        ints(1, 2, 10, 9),
        ints(1, 2, 3, 4),
        ints(1, 2, 1, 1),
        ints(1, 2, 1, 7),
        ints(1, 3, 5, 6),
        ints(1, 2, 5, 6),
      ],
    ],
    attrs: {
      mode: ["linear", "cubic"],
      coordinate_transformation_mode: PLACES,
      cubic_coeff_a: [undefined, -0.5],
      antialias: flag,
    },
  },
  {
    op: "Resize",
    about: "axes and ratio",
    opsets: [17, 18, 19],
    inputs: [[""], [""], [ints(10, 9), ints(3, 8), ints(1, 2, 8, 3), ints(7)]],
    attrs: {
      mode: [undefined, "linear", "cubic"],
      axes: [undefined, big(2, 3), big(-1, -2), big(2), big(2, 2), big(4)],
      keep_aspect_ratio_policy: [undefined, "stretch", "not_larger", "not_smaller", "odd"],
    },
  },
  {
    op: "Resize",
    about: "axes and scales",
    opsets: [18],
    inputs: [
      ["", list(1, 1, 1, 1, 0, 0, 1, 1)],
      [list(1.5, 2), list(2), list(0, 1), list(-1, 1), ""],
      [undefined, ints(10, 9)],
    ],
    attrs: {
      mode: [undefined, "linear"],
      axes: [undefined, big(2, 3), big(3)],
      keep_aspect_ratio_policy: [undefined, "not_larger"],
    },
  },
  {
    op: "Resize",
    about: "other ranks",
    opsets: [13],
    x: [[6], [4, 6], [2, 4, 6], [1, 1, 3, 4, 5]],
    inputs: [[""], [list(2), list(2, 1.5), list(1, 2, 1.5), list(1, 1, 2, 1.5, 2)]],
    attrs: { mode: [undefined, "linear", "cubic"] },
  },
  {
    op: "Shape",
    about: "start and end",
    opsets: [7, 13, 15, 19],
    attrs: {
      start: [undefined, 0n, 1n, -1n, 3n, 9n, -9n],
      end: [undefined, 0n, 2n, -1n, 9n, -9n, 2n ** 63n - 1n],
    },
  },
  {
    op: "Slice",
    about: "attributes",
    opsets: [7, 9, 10],
    attrs: {
      starts: [undefined, big(1), big(-2), big(0, 1), big(9)],
      ends: [undefined, big(3), big(-1), big(99, 99), big(1)],
      axes: [undefined, big(3), big(-1), big(2, 3), big(4)],
    },
  },
  {
    op: "Slice",
    about: "inputs",
    opsets: [9, 10, 13],
    inputs: [
      [ints(1), ints(-1), ints(-100), ints(0, 1), ints(100), int(1)],
      [ints(4), ints(-1), ints(-100), ints(Number.MAX_SAFE_INTEGER), ints(2 ** 31 - 1), ints(3, 5)],
      [undefined, ints(3), ints(-2), ints(2, 3), ints(2, 2), ints(9)],
      [undefined, ints(1), ints(2), ints(-1), ints(-3), ints(0), ints(2, -1)],
    ],
  },
  {
    op: "Softmax",
    about: "axis",
    opsets: ALL,
    x: [IMAGE, [6], [2, 3], []],
    attrs: { axis: [undefined, 0n, 1n, 2n, 3n, 4n, -1n, -4n, -5n] },
  },
  {
    op: "Split",
    about: "attributes",
    opsets: [7, 11, 13, 18],
    x: [
      [2, 6],
      [1, 7],
    ],
    attrs: { axis: [undefined, 0n, 1n, -1n, 2n], split: [undefined, big(2, 4), big(3, 3, 1), big(0, 6)] },
    outputs: [1, 2, 3],
  },
  {
    op: "Split",
    about: "inputs",
    opsets: [11, 13, 18],
    x: [
      [2, 6],
      [1, 7],
    ],
    inputs: [[undefined, "", ints(2, 4), ints(7, -1), ints(0, 6), ints(4, 3)]],
    attrs: { axis: [1n, undefined], num_outputs: [undefined, 2n] },
    outputs: [2],
  },
  // Another number of parts than of outputs ends ONNX Runtime's process.
  ...[3, 4, 5].map((count): Family => ({
    op: "Split",
    about: `${count} equal parts`,
    opsets: [13, 18],
    x: [
      [2, 6],
      [1, 7],
    ],
    attrs: { axis: [1n, -1n, 0n], num_outputs: [undefined, BigInt(count)] },
    outputs: [count],
  })),
  {
    op: "Squeeze",
    about: "axes",
    opsets: [7, 11, 13],
    x: [
      [1, 2, 1, 3],
      [2, 3],
    ],
    inputs: [[undefined, "", ints(0), ints(-2), ints(0, 2), ints(1), ints(), ints(0, 0), ints(7), int(0)]],
    attrs: { axes: [undefined, big(0), big(-2), big(1)] },
  },
  {
    op: "Transpose",
    about: "perm",
    opsets: [7, 21],
    x: [IMAGE, [2, 3], []],
    attrs: {
      perm: [undefined, [], big(0, 1, 2, 3), big(3, 1, 0, 2), big(1, 0), big(-1, 0), big(0, 0), big(0, 1, 2)],
    },
  },
  {
    op: "Unsqueeze",
    about: "axes",
    opsets: [7, 11, 13],
    x: [[2, 3], []],
    inputs: [[undefined, ints(0), ints(-1), ints(0, 3), ints(1, 0), ints(0, 0), ints(7), ints(-9), int(0)]],
    attrs: { axes: [undefined, big(0), big(-1), big(0, 3), big(0, 0), big(9)] },
  },
  {
    op: "Where",
    about: "branches",
    opsets: [8, 9, 16],
    inputs: [[floats([6]), floats([]), floats([4]), ints(1)]],
  },
];

const product = <T>(lists: readonly (readonly T[])[]): readonly (readonly T[])[] =>
  lists.reduce<readonly (readonly T[])[]>(
    (all, list) => all.flatMap((made) => list.map((each) => [...made, each])),
    [[]],
  );

/** Every model of a family. */
export function casesOf(family: Family): readonly GridCase[] {
  const {
    op,
    about,
    opsets,
    x: shapes = [IMAGE],
    inputs = [],
    attrs = {},
    outputs = [1],
    constant = false,
    positive = false,
  } = family;
  const names = Object.keys(attrs);
  const cases: GridCase[] = [];
  for (const opset of opsets)
    for (const x of shapes)
      for (const given of product(inputs))
        for (const chosen of product(names.map((name) => attrs[name]!)))
          for (const count of outputs) {
            const cut = given.indexOf(undefined);
            const used = cut < 0 ? given : given.slice(0, cut);
            if (cut >= 0 && given.slice(cut).some((each) => each !== undefined)) continue;
            const stored: Record<string, Stored> = {};
            const taken = used.map((each, i) => {
              if (each === "" || each === undefined) return "";
              stored[`c${i}`] = each;
              return `c${i}`;
            });
            const given2 = Object.fromEntries(
              names.flatMap((name, i) => (chosen[i] === undefined ? [] : [[name, chosen[i]] as const])),
            );
            const node: CaseNode = {
              op,
              name: "n",
              in: constant ? taken : op === "Where" ? ["b", "x", ...taken] : ["x", ...taken],
              out: Array.from({ length: count }, (_, i) => `y${i}`),
              attrs: given2,
            };
            const before: readonly CaseNode[] =
              op === "Where" ? [{ op: "Greater", in: ["x", "zero"], out: ["b"] }] : [];
            if (op === "Where") stored["zero"] = number(0);
            const model: ModelCase = {
              opset,
              inputs: { x },
              stored,
              nodes: [...before, node],
              outputs: ["y0"],
            };
            const shown = JSON.stringify(
              { x, in: used, ...given2, ...(count > 1 && { outputs: count }) },
              (_, value: unknown) => (typeof value === "bigint" ? Number(value) : value),
            );
            cases.push({ label: `${op} (${about}) set ${opset} ${shown}`, op, x, model, positive });
          }
  return cases;
}

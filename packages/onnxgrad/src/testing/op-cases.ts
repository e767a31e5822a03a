/**
 * @module The op table as data: every operation, and every function composed of operations, at the shapes, ranges and
 * attributes where it is tested. An operation without a case does not compile. `tests/conformance` runs the table
 * on every provider.
 */
import { add, div, maximum, minimum, mul, pow, square, sub } from "../ops/arithmetic.ts";
import { clamp } from "../ops/clamp.ts";
import { broadcastTo } from "../ops/broadcast.ts";
import {
  cast,
  equal,
  greater,
  greaterEqual,
  less,
  lessEqual,
  oneHot,
  stopGradient,
  where,
} from "../ops/compare.ts";
import { channelAffine, channelMoments } from "../ops/channels.ts";
import { convGeometry, type ConvOptions } from "../ops/conv-geometry.ts";
import { conv2d, conv2dWeightGradOp, convTranspose2d } from "../ops/conv.ts";
import {
  abs,
  cos,
  erf,
  exp,
  gelu,
  leakyRelu,
  log,
  neg,
  relu,
  round,
  sigmoid,
  sign,
  silu,
  siluOp,
  sin,
  slopesOp,
  softplus,
  sqrt,
  tanh,
} from "../ops/elementary.ts";
import { gather, scatterAddOp } from "../ops/gather.ts";
import { matmul } from "../ops/matmul.ts";
import { norm } from "../ops/norm.ts";
import {
  batchNormInference,
  batchNormTraining,
  groupNorm,
  layerNorm,
  standardize,
  standardizeOp,
} from "../ops/normalization.ts";
import { avgPool2d, maxPool2d, upsampleNearest2d } from "../ops/pool.ts";
import { max, mean, min, sum } from "../ops/reduce.ts";
import type { OpName } from "../ops/registry.ts";
import { reshape, transpose } from "../ops/reshape.ts";
import { resizeBilinear2d } from "../ops/resize.ts";
import { resizeConv2d } from "../ops/resize-conv.ts";
import { concat, flip, narrow, padReflect, padZero, slice, split, unslice } from "../ops/slice.ts";
import { logSumExp, scaledDotProductAttention, softmax } from "../ops/softmax.ts";
import { constant } from "../ops/source.ts";
import { apply, apply1, type Shape, type Tensor } from "../trace/tensor.ts";
import type { CaseInput, OpCase } from "./case-graph.ts";

/** At least one case. */
export type OpCases = readonly [OpCase, ...OpCase[]];

type Range = readonly [low: number, high: number];

/** A differentiable float32 input with values in [-2, 2) unless told otherwise. */
const f = (shape: Shape, range: Range = [-2, 2]): CaseInput => ({
  shape,
  dtype: "float32",
  range,
  differentiable: true,
});
/** A float32 input through which no gradient is asked. */
const fixed = (shape: Shape, range: Range = [-2, 2]): CaseInput => ({
  ...f(shape, range),
  differentiable: false,
});
/** An int64 input with values in 0..below-1. */
const index = (shape: Shape, below: number): CaseInput => ({
  shape,
  dtype: "int64",
  range: [0, below],
  differentiable: false,
});
/** Float32 values that are whole numbers 0, 1, 2, so that ties occur. */
const whole = (shape: Shape): CaseInput => index(shape, 3);

const POSITIVE: Range = [0.3, 2.5];

const unary = (build: (x: Tensor) => Tensor, range?: Range): OpCases => [
  { name: "[2,3,4]", inputs: [f([2, 3, 4], range)], build },
  { name: "scalar", inputs: [f([], range)], build },
];

/** Both sides equal, both broadcasting, and scalars on either side. */
const binary = (
  build: (a: Tensor | number, b: Tensor | number) => Tensor,
  left?: Range,
  right: Range | undefined = left,
): OpCases => [
  { name: "equal shapes", inputs: [f([2, 3], left), f([2, 3], right)], build },
  { name: "both broadcast", inputs: [f([2, 1, 4], left), f([3, 1], right)], build },
  { name: "scalar left", inputs: [f([], left), f([2, 3], right)], build },
  { name: "number right", inputs: [f([5], left)], build: (a) => build(a, 0.7) },
  { name: "number left", inputs: [f([5], right)], build: (b) => build(1.3, b) },
];

const comparison = (build: (a: Tensor | number, b: Tensor | number) => Tensor): OpCases => [
  {
    name: "floats, broadcast",
    inputs: [fixed([2, 3]), fixed([3])],
    build,
  },
  {
    name: "floats with ties",
    inputs: [whole([2, 6]), whole([2, 6])],
    build: (a, b) => build(cast(a, "float32"), cast(b, "float32")),
  },
  { name: "integers with ties", inputs: [whole([2, 6]), whole([6])], build },
  { name: "a number", inputs: [fixed([7])], build: (a) => build(a, 0.25) },
];

const reduction = (reduce: typeof sum): OpCases => [
  { name: "all axes", inputs: [f([2, 3, 2])], build: (x) => reduce(x) },
  { name: "inner axis kept", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [1], { keepDims: true }) },
  { name: "outer and last axis", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [0, -1]) },
  { name: "unit axis", inputs: [f([3, 1])], build: (x) => reduce(x, [1]) },
  { name: "scalar", inputs: [f([])], build: (x) => reduce(x) },
];

/** Of both signs, at zero of both signs, and as small and as large as values get. */
const slopesAt = (slope: number): OpCase => ({
  name: `slope ${slope}`,
  inputs: [fixed([7])],
  build: (x) => apply1(slopesOp, [concat([x, constant([0, -0, 1e-37, -1e-37, 3e38, -3e38])], 0)], { slope }),
});

/** Geometries of the three convolution operations: [name, input, weight, options]. */
const GEOMETRIES: readonly (readonly [name: string, x: Shape, w: Shape, options: ConvOptions])[] = [
  ["3x3 same", [2, 2, 4, 5], [3, 2, 3, 3], { padding: 1 }],
  ["3x3 valid", [1, 2, 5, 4], [2, 2, 3, 3], {}],
  ["1x1", [2, 3, 3, 2], [2, 3, 1, 1], {}],
  ["1x1 stride 2", [1, 2, 4, 5], [2, 2, 1, 1], { stride: 2 }],
  ["1x1 padding beyond the kernel", [1, 2, 3, 3], [2, 2, 1, 1], { padding: 1 }],
  ["3x3 padding 3", [1, 1, 3, 3], [2, 1, 3, 3], { padding: 3 }],
  ["3x3 stride 2, even extent", [2, 2, 6, 4], [2, 2, 3, 3], { stride: 2, padding: 1 }],
  ["3x3 stride 2, odd extent", [1, 2, 5, 7], [2, 2, 3, 3], { stride: 2, padding: 1 }],
  ["4x4 stride 2", [1, 2, 6, 6], [2, 2, 4, 4], { stride: 2, padding: 1 }],
  ["2x2 stride 3 leaves a rest", [1, 1, 7, 7], [2, 1, 2, 2], { stride: 3 }],
  ["3x3 dilation 2", [1, 2, 6, 6], [2, 2, 3, 3], { dilation: 2, padding: 2 }],
  [
    "3x2 stride [2,1] padding [1,0] dilation [1,2]",
    [1, 2, 5, 5],
    [2, 2, 3, 2],
    { stride: [2, 1], padding: [1, 0], dilation: [1, 2] },
  ],
  ["groups 2", [1, 4, 4, 4], [6, 2, 3, 3], { groups: 2, padding: 1 }],
  ["groups 2 stride 2", [2, 4, 5, 5], [2, 2, 3, 3], { groups: 2, stride: 2, padding: 1 }],
  ["depthwise", [2, 3, 4, 4], [3, 1, 3, 3], { groups: 3, padding: 1 }],
  ["depthwise, two filters a channel", [1, 2, 4, 4], [4, 1, 3, 3], { groups: 2, padding: 1 }],
  [
    "groups 2 dilation 2 stride 2",
    [1, 4, 7, 7],
    [2, 2, 3, 3],
    { groups: 2, dilation: 2, stride: 2, padding: 2 },
  ],
  ["3x2 padding [2,0]", [1, 2, 4, 4], [2, 2, 3, 2], { padding: [2, 0] }],
  ["whole image", [2, 3, 3, 3], [4, 3, 3, 3], {}],
  ["72 pixels", [1, 2, 9, 8], [2, 2, 3, 3], { padding: 1 }],
  ["81 pixels, stride 2", [1, 1, 17, 18], [2, 1, 3, 3], { stride: 2, padding: 1 }],
  // From eight images of few pixels on, the lowering changes to one matrix product over the batch.
  ["batch 8, 3x3 same", [8, 2, 3, 3], [3, 2, 3, 3], { padding: 1 }],
  [
    "batch 9, 3x2, all uneven",
    [9, 1, 4, 3],
    [2, 1, 3, 2],
    { stride: [2, 1], padding: [1, 0], dilation: [1, 2] },
  ],
  ["kernel larger than the input", [1, 1, 2, 2], [1, 1, 3, 3], { padding: 1 }],
  // The weight gradient makes a volume of whichever has fewer channels, and sums over large images one by one.
  ["more inputs than outputs, 3x2", [2, 3, 3, 4], [2, 3, 3, 2], { padding: [1, 0], dilation: [1, 2] }],
  ["large images, 3x2", [2, 1, 5, 4], [2, 1, 3, 2], { padding: 1 }],
  ["large images, more inputs than outputs", [2, 2, 5, 5], [1, 2, 3, 3], { padding: 1 }],
  ["rows that no window reaches", [2, 1, 6, 7], [2, 1, 2, 2], { stride: [3, 4] }],
];

const UNIT: Range = [-1, 1];

/** Shape of the convolution's output, by tracing it. */
const outputOf = (x: Shape, w: Shape, options: ConvOptions): Shape =>
  conv2d(broadcastTo(constant(0), x), broadcastTo(constant(0), w), options).shape;

const forEachGeometry = (
  make: (x: Shape, w: Shape, options: ConvOptions, y: Shape) => Omit<OpCase, "name">,
): OpCase[] =>
  GEOMETRIES.map(([name, x, w, options]) => ({ name, ...make(x, w, options, outputOf(x, w, options)) }));

/** Cases of each operation. */
export const opCases: { readonly [K in OpName]: OpCases } = {
  input: [
    { name: "handed through", inputs: [f([2, 3])], build: (x) => x },
    { name: "int64", inputs: [index([4], 9)], build: (x) => x },
  ],
  constant: [
    { name: "scalar", inputs: [f([3])], build: (x) => mul(x, constant(1.5)) },
    { name: "matrix", inputs: [f([3])], build: (x) => mul(x, constant([1, 2, 3, -4, 5, 6], [2, 3])) },
    { name: "alone", inputs: [], build: () => constant([1, 2, 3]) },
    { name: "int64 matrix", inputs: [], build: () => constant([1, -2, 3, 4], [2, 2], "int64") },
    { name: "int64 scalar", inputs: [], build: () => constant(7, [], "int64") },
  ],

  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div, UNIT, POSITIVE),
  pow: [
    ...binary(pow, POSITIVE, [-1.5, 2]),
    { name: "cube of negatives", inputs: [f([6])], build: (x) => pow(x, 3) },
    { name: "inverse root", inputs: [f([6], POSITIVE)], build: (x) => pow(x, -0.5) },
  ],
  maximum: binary(maximum),
  minimum: binary(minimum),
  clamp: unary((x) => clamp(x, -0.7, 1.1)),

  equal: comparison(equal),
  less: comparison(less),
  greater: comparison(greater),
  lessEqual: comparison(lessEqual),
  greaterEqual: comparison(greaterEqual),
  cast: [
    { name: "float to int truncates", inputs: [fixed([9], [-4, 4])], build: (x) => cast(x, "int64") },
    { name: "int to float", inputs: [index([5], 9)], build: (x) => cast(x, "float32") },
    { name: "int to bool", inputs: [whole([9])], build: (x) => cast(x, "bool") },
    { name: "bool to int", inputs: [fixed([9])], build: (x) => cast(greater(x, 0), "int64") },
    { name: "float to byte truncates", inputs: [fixed([9], [0, 255])], build: (x) => cast(x, "uint8") },
    { name: "int to byte", inputs: [index([9], 256)], build: (x) => cast(x, "uint8") },
    {
      name: "bytes keep their place",
      inputs: [index([2, 3, 2], 256)],
      build: (x) => transpose(cast(x, "uint8"), [0, 2, 1]),
    },
  ],
  where: [
    {
      name: "equal shapes",
      inputs: [f([2, 3]), f([2, 3])],
      build: (a, b) => where(greater(a, b), a, square(b)),
    },
    {
      name: "broadcast",
      inputs: [fixed([2, 1]), f([3]), f([])],
      build: (c, a, b) => where(greater(c, 0), a, b),
    },
    {
      name: "condition is largest",
      inputs: [fixed([2, 3]), f([3])],
      build: (c, a) => where(less(c, 0), a, 0.5),
    },
  ],
  oneHot: [
    { name: "[5] of 4", inputs: [index([5], 4)], build: (x) => oneHot(x, 4) },
    { name: "[2,3] of 5", inputs: [index([2, 3], 5)], build: (x) => oneHot(x, 5) },
    { name: "scalar", inputs: [index([], 3)], build: (x) => oneHot(x, 3) },
  ],
  stopGradient: [{ name: "alone", inputs: [fixed([2, 3])], build: (x) => stopGradient(x) }],

  exp: unary(exp),
  log: unary(log, POSITIVE),
  sqrt: unary(sqrt, POSITIVE),
  abs: unary(abs),
  sign: [{ name: "[7]", inputs: [fixed([7])], build: sign }],
  round: [
    { name: "[3,7]", inputs: [fixed([3, 7], [-3, 3])], build: round },
    {
      name: "halves go to the even side",
      inputs: [],
      build: () => round(constant([-2.5, -1.5, -0.5, 0.5, 1.5, 2.5])),
    },
    {
      name: "pixels",
      inputs: [fixed([2, 3, 2, 2], [-1.2, 1.2])],
      build: (x) => cast(round(clamp(mul(add(x, 1), 127.5), 0, 255)), "uint8"),
    },
  ],
  sin: unary(sin, [-4, 4]),
  cos: unary(cos, [-4, 4]),
  tanh: unary(tanh),
  sigmoid: unary(sigmoid, [-6, 6]),
  erf: unary(erf, [-3, 3]),
  relu: unary(relu),
  softplus: [
    ...unary(softplus, [-4, 4]),
    { name: "far from zero", inputs: [f([8], [-90, 90])], build: softplus },
  ],
  silu: [
    ...unary(silu, [-5, 5]),
    {
      name: "both outputs",
      inputs: [f([2, 3])],
      build: (x) => apply(siluOp, [x], {}),
    },
  ],
  leakyRelu: [
    ...unary((x) => leakyRelu(x)),
    { name: "slope 0.2", inputs: [f([2, 5])], build: (x) => leakyRelu(x, 0.2) },
    { name: "slope 1.5", inputs: [f([2, 5])], build: (x) => leakyRelu(x, 1.5) },
    { name: "slope -0.5", inputs: [f([2, 5])], build: (x) => leakyRelu(x, -0.5) },
  ],
  slopes: [
    { name: "alone", inputs: [fixed([2, 3, 4])], build: (x) => apply1(slopesOp, [x], { slope: 0.2 }) },
    slopesAt(0),
    slopesAt(0.3),
    slopesAt(1),
    slopesAt(2),
    slopesAt(-0.5),
  ],

  sum: reduction(sum),
  mean: reduction(mean),
  max: reduction(max),
  min: reduction(min),

  norm: [
    { name: "[2,3]", inputs: [f([2, 3])], build: norm },
    { name: "scalar", inputs: [f([])], build: norm },
    {
      name: "squares beyond float32",
      inputs: [f([7], [0.5, 2])],
      build: (x) => mul(norm(mul(x, 1e25)), 1e-25),
      secondOrder: false,
    },
    {
      name: "squares below float32",
      inputs: [f([7], [0.5, 2])],
      build: (x) => mul(norm(mul(x, 1e-25)), 1e25),
      secondOrder: false,
    },
  ],
  matmul: [
    { name: "2-D", inputs: [f([2, 3]), f([3, 4])], build: matmul },
    { name: "row by column", inputs: [f([1, 3]), f([3, 1])], build: matmul },
    { name: "batched", inputs: [f([2, 2, 3]), f([2, 3, 2])], build: matmul },
    { name: "matrix on the right of a batch", inputs: [f([2, 2, 3]), f([3, 2])], build: matmul },
    { name: "both batches broadcast", inputs: [f([2, 1, 2, 3]), f([3, 3, 2])], build: matmul },
  ],

  conv2d: [
    {
      name: "small images, a batch as one product",
      inputs: [f([8, 2, 3, 3]), f([3, 2, 3, 3]), f([3])],
      build: (x, weight, bias) => conv2d(x, weight, { padding: 1, bias: bias! }),
    },
    {
      name: "3x3 with bias",
      inputs: [f([2, 2, 3, 4], UNIT), f([3, 2, 3, 3], UNIT), f([3], UNIT)],
      build: (x, w, bias) => conv2d(x, w, { padding: 1, bias: bias! }),
    },
    ...forEachGeometry((x, w, options) => ({
      inputs: [f(x, UNIT), f(w, UNIT)],
      build: (a, b) => conv2d(a!, b!, options),
    })),
  ],
  conv2dInputGrad: [
    {
      name: "transposed, output padding 1, bias",
      inputs: [f([1, 2, 3, 3], UNIT), f([2, 3, 3, 3], UNIT), f([3], UNIT)],
      build: (x, w, bias) => convTranspose2d(x, w, { stride: 2, padding: 1, outputPadding: 1, bias: bias! }),
    },
    ...forEachGeometry((x, w, options, y) => ({
      inputs: [f(y, UNIT), f(w, UNIT)],
      build: (a, b) => {
        const plain = convTranspose2d(a!, b!, options).shape;
        // What the stride left over in the forward direction comes back as output padding.
        return convTranspose2d(a!, b!, { ...options, outputPadding: [x[2]! - plain[2]!, x[3]! - plain[3]!] });
      },
    })),
  ],
  conv2dWeightGrad: forEachGeometry((x, w, options, y) => ({
    inputs: [f(x, UNIT), f(y, UNIT)],
    build: (a, b) => apply1(conv2dWeightGradOp, [a!, b!], { ...convGeometry(options), shape: w }),
  })) as unknown as OpCases,
  maxPool2d: [
    { name: "2x2", inputs: [f([1, 2, 4, 4])], build: (x) => maxPool2d(x, 2) },
    { name: "2x2 with a rest", inputs: [f([2, 1, 5, 3])], build: (x) => maxPool2d(x, 2) },
    { name: "3x3 stride 2, overlapping", inputs: [f([1, 2, 5, 5])], build: (x) => maxPool2d(x, 3, 2) },
    { name: "2x2 stride 1", inputs: [f([1, 1, 3, 4])], build: (x) => maxPool2d(x, 2, 1) },
  ],

  avgPool2d: [
    { name: "2x2", inputs: [f([1, 2, 4, 2])], build: (x) => avgPool2d(x, 2) },
    { name: "3x3", inputs: [f([2, 1, 3, 6])], build: (x) => avgPool2d(x, 3) },
  ],
  upsampleNearest2d: [
    { name: "x2", inputs: [f([2, 2, 2, 3])], build: (x) => upsampleNearest2d(x, 2) },
    { name: "x3", inputs: [f([1, 1, 2, 2])], build: (x) => square(upsampleNearest2d(x, 3)) },
  ],

  reshape: [
    { name: "inferred extent", inputs: [f([2, 6])], build: (x) => reshape(x, [3, -1]) },
    { name: "to and from", inputs: [f([4])], build: (x) => square(reshape(square(reshape(x, [2, 2])), [4])) },
    { name: "to scalar", inputs: [f([1, 1])], build: (x) => reshape(x, []) },
  ],
  transpose: [
    { name: "reversed", inputs: [f([2, 3, 4])], build: (x) => transpose(x) },
    { name: "cycle", inputs: [f([2, 3, 4])], build: (x) => transpose(x, [2, 0, 1]) },
    { name: "of a square", inputs: [f([3, 2])], build: (x) => square(transpose(square(x))) },
  ],
  broadcastTo: [
    { name: "unit axis", inputs: [f([2, 1])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "new axes", inputs: [f([2])], build: (x) => broadcastTo(x, [3, 1, 2]) },
    { name: "scalar", inputs: [f([])], build: (x) => square(broadcastTo(x, [2, 2])) },
  ],
  slice: [
    { name: "box", inputs: [f([3, 4])], build: (x) => slice(x, [1, 0], [3, 2]) },
    { name: "from the end", inputs: [f([3, 4])], build: (x) => slice(x, [-2], [3]) },
    { name: "strided with a rest", inputs: [f([7, 3])], build: (x) => square(slice(x, [1], [7], [3])) },
    { name: "strides on two axes", inputs: [f([4, 5])], build: (x) => slice(x, [0, 1], [4, 5], [2, 2]) },
    { name: "backwards", inputs: [f([5])], build: (x) => slice(x, [3], [0], [-1]) },
    {
      name: "backwards by two to the first",
      inputs: [f([5, 2])],
      build: (x) => flip(slice(flip(x, [0]), [0], [5], [2]), [0, 1]),
    },
    { name: "narrow last axis", inputs: [f([2, 4])], build: (x) => narrow(x, -1, 1, 2) },
    { name: "integers", inputs: [index([6], 9)], build: (x) => slice(x, [1], [6], [2]) },
  ],
  unslice: [
    {
      name: "pad",
      inputs: [f([2, 3])],
      build: (x) =>
        padZero(x, [
          [1, 0],
          [0, 2],
        ]),
    },
    {
      name: "strided",
      inputs: [f([2, 2])],
      build: (x) =>
        unslice(
          x,
          [
            { start: 1, count: 2, step: 2 },
            { start: 0, count: 2, step: 3 },
          ],
          [5, 4],
        ),
    },
    {
      name: "strided, cut surplus",
      inputs: [f([3])],
      build: (x) => unslice(x, [{ start: 0, count: 3, step: 3 }], [7]),
    },
    {
      name: "backwards",
      inputs: [f([3, 2])],
      build: (x) =>
        unslice(
          x,
          [
            { start: 4, count: 3, step: -2 },
            { start: 1, count: 2, step: -1 },
          ],
          [6, 2],
        ),
    },
  ],
  concat: [
    { name: "first axis", inputs: [f([2, 3]), f([1, 3])], build: (a, b) => concat([a, b], 0) },
    {
      name: "last axis, three parts",
      inputs: [f([2, 1]), f([2, 3]), f([2, 2])],
      build: (...x) => square(concat(x, -1)),
    },
    { name: "the same part twice", inputs: [f([2, 2])], build: (x) => square(concat([x, x], 1)) },
    { name: "integers", inputs: [index([2], 5), index([3], 5)], build: (a, b) => concat([a, b], 0) },
    {
      name: "forty parts",
      inputs: Array.from({ length: 40 }, (_, i) => f([2, 1 + (i % 3)])),
      build: (...x) => square(concat(x, 1)),
    },
  ],
  split: [
    { name: "uneven", inputs: [f([2, 5])], build: (x) => split(x, [1, 3, 1], 1) },
    { name: "one part used", inputs: [f([4])], build: (x) => square(split(x, [1, 2, 1], 0)[1]!) },
    {
      name: "products of parts",
      inputs: [f([4, 2])],
      build: (x) => mul(...(split(x, [2, 2], 0) as [Tensor, Tensor])),
    },
    {
      name: "forty parts",
      inputs: [f([79, 2])],
      build: (x) =>
        split(
          x,
          Array.from({ length: 40 }, (_, i) => 1 + (i % 3)),
          0,
        ).map((part, i) => mul(square(part), i + 1)),
    },
  ],
  gather: [
    { name: "rows", inputs: [f([4, 3]), index([5], 4)], build: (x, i) => square(gather(x, i)) },
    { name: "of a vector by a matrix", inputs: [f([4]), index([2, 3], 4)], build: (x, i) => gather(x, i) },
    { name: "by a scalar", inputs: [f([3, 2]), index([], 3)], build: (x, i) => gather(x, i) },
    { name: "integers", inputs: [index([4], 9), index([3], 4)], build: (x, i) => gather(x, i) },
  ],
  scatterAdd: [
    {
      name: "repeated rows",
      inputs: [f([6, 2]), index([6], 3)],
      build: (x, i) => square(apply1(scatterAddOp, [x, i], { rows: 4 })),
    },
    {
      name: "matrix of indices",
      inputs: [f([2, 3]), index([2, 3], 2)],
      build: (x, i) => apply1(scatterAddOp, [x, i], { rows: 3 }),
    },
    {
      name: "by a scalar",
      inputs: [f([3]), index([], 2)],
      build: (x, i) => apply1(scatterAddOp, [x, i], { rows: 2 }),
    },
  ],
  softmax: [
    { name: "[2,4]", inputs: [f([2, 4])], build: softmax },
    { name: "[2,3,2]", inputs: [f([2, 3, 2])], build: softmax },
    { name: "large values", inputs: [f([2, 3], [-80, 80])], build: softmax, secondOrder: false },
  ],
  standardize: [
    { name: "[3,5]", inputs: [f([3, 5])], build: (x) => standardize(x) },
    { name: "[2,2,4], large epsilon", inputs: [f([2, 2, 4])], build: (x) => standardize(x, 0.1) },
    {
      name: "all three outputs",
      inputs: [f([2, 4])],
      build: (x) => apply(standardizeOp, [x], { epsilon: 1e-3 }),
    },
  ],
  channelMoments: [
    { name: "both", inputs: [f([2, 3, 2, 2])], build: (x) => Object.values(channelMoments(x)) },
    { name: "mean alone", inputs: [f([2, 3, 2, 2])], build: (x) => square(channelMoments(x).mean) },
    { name: "variance alone", inputs: [f([2, 3, 2, 2])], build: (x) => square(channelMoments(x).variance) },
    {
      name: "variance far from zero",
      inputs: [f([2, 2, 3, 3], [99, 101])],
      build: (x) => channelMoments(x).variance,
      secondOrder: false,
    },
  ],
  channelAffine: [
    { name: "3 channels", inputs: [f([2, 3, 2, 2]), f([3]), f([3])], build: channelAffine },
    {
      name: "1 channel, twice",
      inputs: [f([3, 1, 1, 2]), f([1]), f([1])],
      build: (x, scale, shift) => channelAffine(channelAffine(x, scale!, shift!), scale!, shift!),
    },
  ],
};

const affine = [f([4], POSITIVE), f([4])] as const;

/** Cases of the functions that are composed of operations. */
export const compositeCases: Readonly<Record<string, OpCases>> = {
  // Sixteen channels: ONNX Runtime changes to blocked layouts and fused kernels, other code than at two or three.
  residualBlock: [
    {
      name: "16 channels",
      inputs: [f([2, 16, 8, 8], UNIT), f([16, 16, 3, 3], UNIT), f([16, 16, 3, 3], UNIT)],
      build: (x, v, w) => add(x, conv2d(silu(groupNorm(conv2d(x, v, { padding: 1 }), 4)), w, { padding: 1 })),
      differences: false,
    },
    {
      name: "32 channels, stride 2 and back",
      inputs: [f([1, 32, 8, 8], UNIT), f([32, 32, 3, 3], UNIT), f([32, 32, 4, 4], UNIT), f([32], UNIT)],
      build: (x, v, w, bias) =>
        convTranspose2d(leakyRelu(conv2d(x, v, { stride: 2, padding: 1, bias: bias! }), 0.2), w, {
          stride: 2,
          padding: 1,
        }),
      differences: false,
    },
  ],
  neg: unary(neg),
  square: unary(square),
  gelu: unary(gelu, [-3, 3]),
  layerNorm: [
    { name: "plain", inputs: [f([3, 4])], build: (x) => layerNorm(x) },
    {
      name: "affine",
      inputs: [f([2, 3, 4]), ...affine],
      build: (x, scale, shift) => layerNorm(x, { scale: scale!, shift: shift! }),
    },
  ],
  groupNorm: [
    {
      name: "2 groups",
      inputs: [f([2, 4, 2, 2]), ...affine],
      build: (x, scale, shift) => groupNorm(x, 2, { scale: scale!, shift: shift! }),
    },
    {
      name: "scale and shift of each sample",
      inputs: [f([2, 4, 2, 2]), f([2, 4], POSITIVE), f([2, 4])],
      build: (x, scale, shift) => groupNorm(x, 2, { scale: scale!, shift: shift! }),
    },
    { name: "one group", inputs: [f([1, 2, 2, 3])], build: (x) => groupNorm(x, 1) },
    { name: "instance", inputs: [f([2, 2, 2, 3])], build: (x) => groupNorm(x, 2, undefined, 1e-2) },
  ],
  batchNormTraining: [
    {
      name: "with statistics",
      inputs: [f([2, 4, 2, 2]), ...affine],
      build: (x, scale, shift) =>
        Object.values(batchNormTraining(x, { scale: scale!, shift: shift! })) as Tensor[],
    },
  ],
  batchNormInference: [
    {
      name: "running statistics",
      inputs: [f([2, 4, 2, 2]), ...affine, f([4]), f([4], POSITIVE)],
      build: (x, scale, shift, m, v) =>
        batchNormInference(x, { scale: scale!, shift: shift! }, { mean: m!, variance: v! }),
    },
  ],
  logSumExp: [
    { name: "[3,4]", inputs: [f([3, 4])], build: logSumExp },
    { name: "large values", inputs: [f([2, 3], [80, 120])], build: logSumExp, secondOrder: false },
  ],
  scaledDotProductAttention: [
    { name: "2-D", inputs: [f([3, 2]), f([4, 2]), f([4, 3])], build: scaledDotProductAttention },
    {
      name: "two heads",
      inputs: [f([2, 2, 3]), f([2, 3, 3]), f([2, 3, 2])],
      build: scaledDotProductAttention,
    },
  ],
  resizeBilinear2d: [
    { name: "up, half-pixel centres", inputs: [f([1, 2, 3, 4])], build: (x) => resizeBilinear2d(x, 5, 8) },
    { name: "down, half-pixel centres", inputs: [f([1, 1, 5, 6])], build: (x) => resizeBilinear2d(x, 2, 4) },
    {
      name: "72 pixels, direction by direction",
      inputs: [f([1, 1, 9, 8])],
      build: (x) => resizeBilinear2d(x, 4, 9),
    },
    {
      name: "up, corners aligned",
      inputs: [f([1, 2, 3, 4])],
      build: (x) => resizeBilinear2d(x, 5, 7, { alignCorners: true }),
    },
    {
      name: "down to one row, corners aligned",
      inputs: [f([1, 1, 4, 5])],
      build: (x) => resizeBilinear2d(x, 1, 3, { alignCorners: true }),
    },
  ],
  resizeConv2d: [
    {
      name: "up, same padding, bias",
      inputs: [f([2, 8, 3, 2]), f([2, 8, 3, 3]), f([2])],
      build: (x, w, bias) => resizeConv2d(x, w, 6, 4, { padding: 1, bias }),
    },
    {
      name: "up, kernel 2 x 3, corners aligned",
      inputs: [f([1, 9, 2, 3]), f([2, 9, 2, 3])],
      build: (x, w) => resizeConv2d(x, w, 5, 7, { padding: [0, 1], alignCorners: true }),
    },
    {
      name: "up, 1 x 1, bias",
      inputs: [f([1, 3, 2, 3]), f([2, 3, 1, 1]), f([2])],
      build: (x, w, bias) => resizeConv2d(x, w, 4, 6, { bias }),
    },
    {
      name: "up, 1 x 1, padded",
      inputs: [f([1, 9, 2, 2]), f([2, 9, 1, 1])],
      build: (x, w) => resizeConv2d(x, w, 4, 4, { padding: 1 }),
    },
    {
      name: "down",
      inputs: [f([1, 2, 5, 4]), f([2, 2, 3, 3])],
      build: (x, w) => resizeConv2d(x, w, 3, 3, { padding: 1 }),
    },
  ],
  padZero: [
    {
      name: "all sides",
      inputs: [f([1, 2, 3])],
      build: (x) =>
        square(
          padZero(x, [
            [0, 0],
            [1, 2],
            [2, 1],
          ]),
        ),
    },
  ],
  padReflect: [
    {
      name: "both axes",
      inputs: [f([1, 3, 4])],
      build: (x) =>
        padReflect(x, [
          [0, 0],
          [2, 1],
          [1, 3],
        ]),
    },
    { name: "one side", inputs: [f([4])], build: (x) => square(padReflect(x, [[0, 3]])) },
  ],
  flip: [
    { name: "last axis", inputs: [f([2, 3])], build: (x) => flip(x, [-1]) },
    { name: "two axes", inputs: [f([2, 3, 2])], build: (x) => square(flip(x, [0, 2])) },
  ],
  oneHot: [
    {
      name: "as embedding",
      inputs: [index([4], 3), f([3, 2])],
      build: (i, table) => matmul(oneHot(i, 3), table),
    },
  ],
  convTranspose2d: [
    {
      name: "stride 2",
      inputs: [f([2, 2, 2, 3], UNIT), f([2, 3, 4, 4], UNIT)],
      build: (x, w) => convTranspose2d(x, w, { stride: 2, padding: 1 }),
    },
    {
      name: "groups 2, stride 2, dilation 2, output padding",
      inputs: [f([1, 4, 3, 2], UNIT), f([4, 2, 3, 3], UNIT), f([4], UNIT)],
      build: (x, w, bias) =>
        convTranspose2d(x, w, {
          groups: 2,
          stride: 2,
          dilation: 2,
          padding: 1,
          outputPadding: [1, 0],
          bias: bias!,
        }),
    },
  ],
};

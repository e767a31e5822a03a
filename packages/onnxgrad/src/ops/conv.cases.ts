/** @module Cases of convolutions and their adjoints, for the op table (testing/op-cases.ts). */
import type { CaseTable, OpCase, OpCases } from "../testing/case-graph.ts";
import { f, UNIT } from "../testing/case-inputs.ts";
import { apply1, type Shape } from "../trace/tensor.ts";
import { add } from "./arithmetic.ts";
import { broadcastTo } from "./sum.ts";
import { convGeometry, type ConvOptions } from "./conv-geometry.ts";
import { conv2d, conv2dWeightGradOp, convTranspose2d } from "./conv.ts";
import { leakyRelu, silu } from "./elementary.ts";
import { groupNorm } from "./normalization.ts";
import { constant } from "./source.ts";

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

/** Shape of the convolution's output, by tracing it. */
const outputOf = (x: Shape, w: Shape, options: ConvOptions): Shape =>
  conv2d(broadcastTo(constant(0), x), broadcastTo(constant(0), w), options).shape;

const forEachGeometry = (
  make: (x: Shape, w: Shape, options: ConvOptions, y: Shape) => Omit<OpCase, "name">,
): OpCases =>
  GEOMETRIES.map(([name, x, w, options]) => ({
    name,
    ...make(x, w, options, outputOf(x, w, options)),
  })) as unknown as OpCases;

export const convCases: CaseTable = {
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
  })),
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
};

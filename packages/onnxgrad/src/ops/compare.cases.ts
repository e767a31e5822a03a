/** @module Cases of comparisons, casts and selection, for the op table (testing/op-cases.ts). */
import type { CaseTable, OpCases } from "../testing/case-graph.ts";
import { f, fixed, index, whole } from "../testing/case-inputs.ts";
import type { Tensor } from "../trace/tensor.ts";
import { square } from "./arithmetic.ts";
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
} from "./compare.ts";
import { matmul } from "./matmul.ts";
import { transpose } from "./reshape.ts";

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

export const compareCases: CaseTable = {
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
    {
      name: "as embedding",
      inputs: [index([4], 3), f([3, 2])],
      build: (i, table) => matmul(oneHot(i, 3), table),
    },
  ],
  stopGradient: [{ name: "alone", inputs: [fixed([2, 3])], build: (x) => stopGradient(x) }],
};

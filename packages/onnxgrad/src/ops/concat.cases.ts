/** @module Cases of joining and cutting into parts, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, index } from "../testing/case-inputs.ts";
import type { Tensor } from "../trace/tensor.ts";
import { mul, square } from "./arithmetic.ts";
import { concat, split } from "./concat.ts";

export const concatCases: CaseTable = {
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
};

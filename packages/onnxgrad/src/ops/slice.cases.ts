/** @module Cases of cutting and joining, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, index } from "../testing/case-inputs.ts";
import type { Tensor } from "../trace/tensor.ts";
import { mul, square } from "./arithmetic.ts";
import { concat, flip, narrow, padReflect, padZero, slice, split, unslice } from "./slice.ts";

export const sliceCases: CaseTable = {
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
};

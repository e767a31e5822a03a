/** @module Cases of slices and their adjoint, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, index } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { padZero } from "./pad.ts";
import { flip, narrow, slice, unslice } from "./slice.ts";

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
  flip: [
    { name: "last axis", inputs: [f([2, 3])], build: (x) => flip(x, [-1]) },
    { name: "two axes", inputs: [f([2, 3, 2])], build: (x) => square(flip(x, [0, 2])) },
  ],
};

/** @module Cases of selection of rows and its adjoint, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, index } from "../testing/case-inputs.ts";
import { apply1 } from "../trace/tensor.ts";
import { square } from "./arithmetic.ts";
import { gather, scatterAddOp } from "./gather.ts";

export const gatherCases: CaseTable = {
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
};

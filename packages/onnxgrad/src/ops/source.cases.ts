/** @module Cases of leaves, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, index } from "../testing/case-inputs.ts";
import { mul } from "./arithmetic.ts";
import { constant } from "./source.ts";

export const sourceCases: CaseTable = {
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
};

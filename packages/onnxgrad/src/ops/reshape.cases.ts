/** @module Cases of changes of shape, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { reshape, transpose } from "./reshape.ts";

export const reshapeCases: CaseTable = {
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
};

/** @module Cases of sum and broadcasting, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, reduction } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { broadcastTo, sum } from "./sum.ts";

export const sumCases: CaseTable = {
  sum: reduction(sum),
  broadcastTo: [
    { name: "unit axis", inputs: [f([2, 1])], build: (x) => broadcastTo(x, [2, 3]) },
    { name: "new axes", inputs: [f([2])], build: (x) => broadcastTo(x, [3, 1, 2]) },
    { name: "scalar", inputs: [f([])], build: (x) => square(broadcastTo(x, [2, 2])) },
  ],
};

/** @module Cases of matrix products, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { matmul } from "./matmul.ts";

export const matmulCases: CaseTable = {
  matmul: [
    { name: "2-D", inputs: [f([2, 3]), f([3, 4])], build: matmul },
    { name: "row by column", inputs: [f([1, 3]), f([3, 1])], build: matmul },
    { name: "batched", inputs: [f([2, 2, 3]), f([2, 3, 2])], build: matmul },
    { name: "matrix on the right of a batch", inputs: [f([2, 2, 3]), f([3, 2])], build: matmul },
    { name: "both batches broadcast", inputs: [f([2, 1, 2, 3]), f([3, 3, 2])], build: matmul },
  ],
};

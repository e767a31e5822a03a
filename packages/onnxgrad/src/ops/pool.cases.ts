/** @module Cases of pooling and its adjoints, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { avgPool2d, maxPool2d, upsampleNearest2d } from "./pool.ts";

export const poolCases: CaseTable = {
  maxPool2d: [
    { name: "2x2", inputs: [f([1, 2, 4, 4])], build: (x) => maxPool2d(x, 2) },
    { name: "2x2 with a rest", inputs: [f([2, 1, 5, 3])], build: (x) => maxPool2d(x, 2) },
    { name: "3x3 stride 2, overlapping", inputs: [f([1, 2, 5, 5])], build: (x) => maxPool2d(x, 3, 2) },
    { name: "2x2 stride 1", inputs: [f([1, 1, 3, 4])], build: (x) => maxPool2d(x, 2, 1) },
  ],
  avgPool2d: [
    { name: "2x2", inputs: [f([1, 2, 4, 2])], build: (x) => avgPool2d(x, 2) },
    { name: "3x3", inputs: [f([2, 1, 3, 6])], build: (x) => avgPool2d(x, 3) },
  ],
  upsampleNearest2d: [
    { name: "x2", inputs: [f([2, 2, 2, 3])], build: (x) => upsampleNearest2d(x, 2) },
    { name: "x3", inputs: [f([1, 1, 2, 2])], build: (x) => square(upsampleNearest2d(x, 3)) },
  ],
};

/** @module Cases of reductions, for the op table (testing/op-cases.ts). */
import type { CaseTable, OpCases } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { max, mean, min, sum } from "./reduce.ts";

const reduction = (reduce: typeof sum): OpCases => [
  { name: "all axes", inputs: [f([2, 3, 2])], build: (x) => reduce(x) },
  { name: "inner axis kept", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [1], { keepDims: true }) },
  { name: "outer and last axis", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [0, -1]) },
  { name: "unit axis", inputs: [f([3, 1])], build: (x) => reduce(x, [1]) },
  { name: "scalar", inputs: [f([])], build: (x) => reduce(x) },
];

export const reduceCases: CaseTable = {
  sum: reduction(sum),
  mean: reduction(mean),
  max: reduction(max),
  min: reduction(min),
};

/** @module Cases of mean and extrema, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { reduction } from "../testing/case-inputs.ts";
import { max, mean, min } from "./reduce.ts";

export const reduceCases: CaseTable = {
  mean: reduction(mean),
  max: reduction(max),
  min: reduction(min),
};

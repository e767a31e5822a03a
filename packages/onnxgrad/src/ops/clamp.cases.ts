/** @module Cases of limiting values, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { unary } from "../testing/case-inputs.ts";
import { clamp } from "./clamp.ts";

export const clampCases: CaseTable = {
  clamp: unary((x) => clamp(x, -0.7, 1.1)),
};

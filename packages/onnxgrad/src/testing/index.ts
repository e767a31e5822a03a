/** @module Helpers for numeric tests, shared by the packages of this repository. */
export { expectClose, type Tolerance } from "./expect-close.ts";
export {
  type CaseFeed,
  type CaseGraph,
  caseGraph,
  type CaseInput,
  type CaseOutputs,
  type CaseTable,
  finiteDifferences,
  type OpCase,
  type OpCases,
} from "./case-graph.ts";
export { compositeCases, opCases } from "./op-cases.ts";

/** @module Cases of arithmetic, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { binary, POSITIVE, unary, UNIT } from "../testing/case-inputs.ts";
import { add, div, maximum, minimum, mul, square, sub } from "./arithmetic.ts";

export const arithmeticCases: CaseTable = {
  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div, UNIT, POSITIVE),
  maximum: binary(maximum),
  minimum: binary(minimum),
  square: unary(square),
};

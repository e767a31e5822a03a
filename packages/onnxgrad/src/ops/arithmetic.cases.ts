/** @module Cases of arithmetic, for the op table (testing/op-cases.ts). */
import type { CaseTable, OpCases } from "../testing/case-graph.ts";
import { f, POSITIVE, type Range, unary, UNIT } from "../testing/case-inputs.ts";
import type { Tensor } from "../trace/tensor.ts";
import { add, div, maximum, minimum, mul, pow, square, sub } from "./arithmetic.ts";

/** Both sides equal, both broadcasting, and scalars on either side. */
const binary = (
  build: (a: Tensor | number, b: Tensor | number) => Tensor,
  left?: Range,
  right: Range | undefined = left,
): OpCases => [
  { name: "equal shapes", inputs: [f([2, 3], left), f([2, 3], right)], build },
  { name: "both broadcast", inputs: [f([2, 1, 4], left), f([3, 1], right)], build },
  { name: "scalar left", inputs: [f([], left), f([2, 3], right)], build },
  { name: "number right", inputs: [f([5], left)], build: (a) => build(a, 0.7) },
  { name: "number left", inputs: [f([5], right)], build: (b) => build(1.3, b) },
];

export const arithmeticCases: CaseTable = {
  add: binary(add),
  sub: binary(sub),
  mul: binary(mul),
  div: binary(div, UNIT, POSITIVE),
  pow: [
    ...binary(pow, POSITIVE, [-1.5, 2]),
    { name: "cube of negatives", inputs: [f([6])], build: (x) => pow(x, 3) },
    { name: "inverse root", inputs: [f([6], POSITIVE)], build: (x) => pow(x, -0.5) },
  ],
  maximum: binary(maximum),
  minimum: binary(minimum),
  square: unary(square),
};

/** @module Short forms for the inputs of cases, and for cases that several families have. */
import type { Reduction } from "../ops/reduction.ts";
import type { Shape, Tensor } from "../trace/tensor.ts";
import type { CaseInput, OpCases } from "./case-graph.ts";

/** Values from `low` to below `high`. */
export type Range = readonly [low: number, high: number];

/** A differentiable float32 input with values in [-2, 2) unless told otherwise. */
export const f = (shape: Shape, range: Range = [-2, 2]): CaseInput => ({
  shape,
  dtype: "float32",
  range,
  differentiable: true,
});

/** A float32 input through which no gradient is asked. */
export const fixed = (shape: Shape, range: Range = [-2, 2]): CaseInput => ({
  ...f(shape, range),
  differentiable: false,
});

/** An int64 input with values in 0..below-1. */
export const index = (shape: Shape, below: number): CaseInput => ({
  shape,
  dtype: "int64",
  range: [0, below],
  differentiable: false,
});

/** Whole numbers 0, 1, 2, so that ties occur. */
export const whole = (shape: Shape): CaseInput => index(shape, 3);

export const POSITIVE: Range = [0.3, 2.5];
export const UNIT: Range = [-1, 1];

/** A function of one tensor, of a box of them and of a scalar. */
export const unary = (build: (x: Tensor) => Tensor, range?: Range): OpCases => [
  { name: "[2,3,4]", inputs: [f([2, 3, 4], range)], build },
  { name: "scalar", inputs: [f([], range)], build },
];

/** A function of two tensors, both sides equal, both broadcasting, and scalars on either side. */
export const binary = (
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

/** A reduction, over all axes and some. */
export const reduction = (reduce: Reduction): OpCases => [
  { name: "all axes", inputs: [f([2, 3, 2])], build: (x) => reduce(x) },
  { name: "inner axis kept", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [1], { keepDims: true }) },
  { name: "outer and last axis", inputs: [f([2, 3, 2])], build: (x) => reduce(x, [0, -1]) },
  { name: "unit axis", inputs: [f([3, 1])], build: (x) => reduce(x, [1]) },
  { name: "scalar", inputs: [f([])], build: (x) => reduce(x) },
];

import { describe, expect, test } from "vitest";
import { gradients } from "../grad/gradients.ts";
import { interpret } from "../interpret/interpret.ts";
import type { Tensor } from "../trace/tensor.ts";
import { maximum, minimum } from "./arithmetic.ts";
import { clamp } from "./clamp.ts";
import { abs, leakyRelu, relu } from "./elementary.ts";
import { maxPool2d } from "./pool.ts";
import { max, min } from "./reduce.ts";
import { sum } from "./sum.ts";
import { reshape } from "./reshape.ts";
import { input } from "./source.ts";

/** Gradient of sum(f(x)) at `values`. */
function slope(f: (x: Tensor) => Tensor, values: readonly number[]): number[] {
  const x = input("x", [values.length]);
  return [...interpret(gradients(sum(f(x)), [x]), { x: values })[0]!.data];
}

describe("where a function has a kink, its gradient is the documented choice:", () => {
  test("max and min over axes share it equally among ties", () => {
    expect(slope((x) => max(x), [1, 3, 3, 2, 3])).toEqual([0, 1 / 3, 1 / 3, 0, 1 / 3]);
    expect(slope((x) => min(x), [1, 3, 1, 2])).toEqual([0.5, 0, 0.5, 0]);
  });
  test("max pooling gives it to the first in row-major order", () => {
    const pool = (x: Tensor) => maxPool2d(reshape(x, [1, 1, 2, 4]), 2);
    expect(slope(pool, [0, 5, 7, 7, 5, 5, 7, 7])).toEqual([0, 1, 1, 0, 0, 0, 0, 0]);
    const overlapping = (x: Tensor) => maxPool2d(reshape(x, [1, 1, 2, 4]), 2, 1);
    expect(slope(overlapping, [0, 5, 7, 7, 5, 5, 7, 7])).toEqual([0, 1, 2, 0, 0, 0, 0, 0]);
  });
  test("maximum and minimum give half to each side; clamp passes all at its ends, as in PyTorch", () => {
    expect(slope((x) => maximum(x, 1), [0, 1, 2])).toEqual([0, 0.5, 1]);
    expect(slope((x) => minimum(x, 1), [0, 1, 2])).toEqual([1, 0.5, 0]);
    expect(slope((x) => maximum(x, x), [3])).toEqual([1]);
    expect(slope((x) => clamp(x, -1, 1), [-2, -1, 0, 1, 2])).toEqual([0, 1, 1, 1, 0]);
  });
  test("relu and abs are flat at 0, leakyRelu has its lower slope", () => {
    expect(slope(relu, [-1, 0, 1])).toEqual([-0, 0, 1].map(Math.abs));
    expect(slope(abs, [-1, 0, 1])).toEqual([-1, 0, 1]);
    expect(slope((x) => leakyRelu(x, 0.2), [-1, 0, 1])).toEqual([0.2, 0.2, 1]);
  });
});

/** @module Convolution of enlarged features against the two steps it stands for, by the float64 reference. */
import { describe, expect, test } from "vitest";
import { interpret } from "../interpret/interpret.ts";
import { rng } from "../random/threefry.ts";
import { expectClose } from "../testing/expect-close.ts";
import { reachable, sizeOf, type Tensor } from "../trace/tensor.ts";
import { conv2d } from "./conv.ts";
import { resizeBilinear2d } from "./resize.ts";
import { resizeConv2d, type ResizeConvOptions } from "./resize-conv.ts";
import { input } from "./source.ts";

interface Case {
  readonly x: readonly number[];
  readonly weight: readonly number[];
  readonly to: readonly [number, number];
  readonly options?: ResizeConvOptions;
  /** Whether x is to be enlarged. */
  readonly enlarges: boolean;
}

const CASES: Readonly<Record<string, Case>> = {
  "twice as large": { x: [2, 16, 3, 4], weight: [3, 16, 3, 3], to: [6, 8], enlarges: false },
  padded: { x: [1, 16, 4, 4], weight: [3, 16, 3, 3], to: [8, 8], options: { padding: 1 }, enlarges: false },
  "no whole factor, corners aligned": {
    x: [1, 16, 4, 3],
    weight: [2, 16, 3, 2],
    to: [7, 8],
    options: { padding: [2, 0], alignCorners: true },
    enlarges: false,
  },
  "1 x 1": { x: [2, 5, 3, 3], weight: [4, 5, 1, 1], to: [6, 6], enlarges: false },
  "few channels": {
    x: [1, 1, 8, 8],
    weight: [4, 1, 3, 3],
    to: [16, 16],
    options: { padding: 1 },
    enlarges: true,
  },
  smaller: { x: [1, 8, 6, 6], weight: [4, 8, 3, 3], to: [3, 3], options: { padding: 1 }, enlarges: true },
  "the same size": {
    x: [1, 8, 4, 4],
    weight: [4, 8, 3, 3],
    to: [4, 4],
    options: { padding: 1 },
    enlarges: false,
  },
};

const values = (name: string, shape: readonly number[]) => {
  const draw = rng(1, name);
  return Float64Array.from({ length: sizeOf(shape) }, () => draw.normal());
};

describe("resizeConv2d", () => {
  test.each(Object.entries(CASES))("%s", (_, { x, weight, to: [height, width], options, enlarges }) => {
    const [given, kernel, bias] = [input("x", x), input("w", weight), input("bias", [weight[0]!])];
    const { alignCorners = false, padding = 0 } = options ?? {};
    const made = resizeConv2d(given, kernel, height, width, { ...options, bias });
    const steps = conv2d(resizeBilinear2d(given, height, width, { alignCorners }), kernel, { padding, bias });
    expect(made.shape).toEqual(steps.shape);
    const feeds = { x: values("x", x), w: values("w", weight), bias: values("bias", [weight[0]!]) };
    const [one, two] = interpret([made, steps], feeds);
    expectClose(one!.data, two!.data, { rtol: 1e-12, atol: 1e-12, what: "resizeConv2d" });
    const isEnlarged = ({ shape }: Tensor) =>
      shape.length === 4 && shape[1] === x[1] && shape[2] === height && shape[3] === width;
    const isGiven = height === x[2] && width === x[3];
    expect(reachable([made]).some(({ outputs }) => !isGiven && outputs.some(isEnlarged))).toBe(enlarges);
  });
});

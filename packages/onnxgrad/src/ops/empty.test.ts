import { describe, expect, test } from "vitest";
import { GraphError } from "../errors.ts";
import type { Tensor } from "../trace/tensor.ts";
import { channelMoments } from "./channels.ts";
import { conv2d } from "./conv.ts";
import { groupNorm, standardize } from "./normalization.ts";
import { maxPool2d } from "./pool.ts";
import { max, mean, min } from "./reduce.ts";
import { padZero, slice, split } from "./slice.ts";
import { logSumExp } from "./softmax.ts";
import { input } from "./source.ts";

const rows = input("rows", [0, 3]);
const images = (...shape: number[]): Tensor => input("images", shape);

describe("what has no value without elements is refused where it is traced:", () => {
  test.each<[name: string, build: () => unknown, message: string]>([
    ["max over an empty axis", () => max(rows, [0]), "max: of no elements has no value; inputs [0,3]"],
    ["max of nothing", () => max(rows), "max: of no elements"],
    ["min over an empty axis", () => min(rows, [0]), "min: of no elements"],
    ["mean of nothing", () => mean(rows), "mean: of no elements"],
    ["logSumExp of empty rows", () => logSumExp(input("x", [3, 0])), "max: of no elements"],
    ["standardised empty rows", () => standardize(input("x", [3, 0])), "standardize: of no elements"],
    ["group norm of images without pixels", () => groupNorm(images(2, 4, 0, 3), 2), "of no elements"],
    ["moments of no images", () => channelMoments(images(0, 2, 3, 3)), "channelMoments: of no elements"],
    ["pooling without pixels", () => maxPool2d(images(1, 1, 0, 4), 2), "maxPool2d: window 2"],
    [
      "a convolution without pixels",
      () => conv2d(images(1, 1, 0, 4), input("w", [1, 1, 3, 3]), { padding: 2 }),
      "no pixels",
    ],
    [
      "a convolution without channels",
      () => conv2d(images(1, 0, 4, 4), input("w", [1, 0, 3, 3])),
      "no weights",
    ],
    ["an empty slice", () => slice(input("x", [3]), [1], [1]), "is empty"],
    ["zeros around nothing", () => padZero(rows, [[1, 1]]), "is empty"],
    ["empty parts", () => split(input("x", [3]), [3, 0], 0), "Sizes must be positive"],
  ])("%s", (_, build, message) => {
    expect(build).toThrow(GraphError);
    expect(build).toThrow(message);
  });
});

import { describe, expect, test } from "vitest";
import { GraphError } from "../errors.ts";
import { gradients } from "../grad/gradients.ts";
import { compile } from "../runtime/compile.ts";
import { node } from "../runtime/node/node.ts";
import type { Tensor } from "../trace/tensor.ts";
import { square } from "./arithmetic.ts";
import { channelMoments } from "./channels.ts";
import { conv2d } from "./conv.ts";
import { relu } from "./elementary.ts";
import { matmul } from "./matmul.ts";
import { groupNorm, standardize } from "./normalization.ts";
import { maxPool2d } from "./pool.ts";
import { max, mean, min } from "./reduce.ts";
import { sum } from "./sum.ts";
import { split } from "./concat.ts";
import { padZero } from "./pad.ts";
import { slice } from "./slice.ts";
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

describe("a batch of none", () => {
  test.each([1, 2])("trains to gradients of zero, on %i threads", async (threads) => {
    const inputs = { x: [0, 3, 8, 8], v: [4, 3, 3, 3], w: [4, 2] } as const;
    const program = await compile(node({ threads }), { inputs }, ({ x, v, w }) => {
      const pooled = sum(relu(conv2d(x, v, { padding: 1 })), [2, 3]);
      const loss = sum(square(matmul(pooled, w)));
      const [dv, dw] = gradients(loss, [v, w]);
      return { loss, dv: dv!, dw: dw! };
    });
    const { loss, dv, dw } = await program.run({
      x: [],
      v: new Float32Array(108).fill(1),
      w: new Float32Array(8).fill(1),
    });
    await program.dispose();
    expect([...loss, ...dv, ...dw]).toEqual(Array<number>(1 + 108 + 8).fill(0));
  });
});

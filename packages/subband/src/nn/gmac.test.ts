import {
  constant,
  conv2d,
  gradients,
  input,
  isNdArray,
  matmul,
  resizeBilinear2d,
  type Rng,
  rng,
  square,
  sum,
  treeMap,
} from "onnxgrad";
import { describe, expect, test } from "vitest";
import { attentionUnet, initAttentionUnet, initAttentionUnetStatistics } from "./attention-unet.ts";
import { countMacs } from "./gmac.ts";
import type { Params } from "./layers.ts";

const still: Rng = { ...rng(0, "gmac-test"), uniform: () => 0.5, normal: () => 0 };
const traced = <T>(tree: T, prefix: string): Params<T> =>
  treeMap(tree, isNdArray, ({ shape }, name) => input(`${prefix}.${name}`, shape)) as Params<T>;

describe("countMacs()", () => {
  test("counts a convolution by its definition, whatever stride, groups and padding", () => {
    const x = input("x", [2, 6, 9, 8]);
    for (const [stride, groups, pixels] of [
      [1, 1, 9 * 8],
      [2, 1, 5 * 4],
      [1, 3, 9 * 8],
    ] as const) {
      const y = conv2d(x, input("w", [12, 6 / groups, 3, 3]), { stride, groups, padding: 1 });
      expect(countMacs([y]).network, `stride ${stride} groups ${groups}`).toBe(
        (2 * 12 * pixels * 6 * 9) / groups,
      );
    }
  });

  test("counts twice as much backward as forward: one product for each factor", () => {
    const x = input("x", [2, 6, 9, 8]);
    const w = input("w", [12, 6, 3, 3]);
    const v = input("v", [8, 5]);
    const y = matmul(conv2d(x, w, { padding: 1 }), v);
    const forward = countMacs([y]).network;
    expect(forward).toBe(2 * 9 * 8 * 12 * (6 * 9 + 5));
    const loss = sum(square(y)); // of a plain sum the gradient is constant
    expect(countMacs([loss, ...gradients(loss, [x, w, v])]).network).toBe(3 * forward);
  });

  test("keeps products with constants apart", () => {
    const x = input("x", [1, 4, 8, 8]);
    const filtered = conv2d(x, constant(new Float64Array(4 * 9), [4, 1, 3, 3]), { groups: 4, padding: 1 });
    expect(countMacs([filtered])).toEqual({ network: 0, fixed: 4 * 64 * 9 });
    expect(countMacs([resizeBilinear2d(x, 16, 16)])).toEqual({
      network: 0,
      fixed: 4 * 8 * 16 * 8 + 4 * 16 * 16 * 8,
    });
  });

  test("gives the stated cost of the released generator, 1.98 GMAC at 32 x 32 and 7.94 at 64 x 64, and half of it", () => {
    const width = 64;
    const params = initAttentionUnet(still, { inputs: 6, outputs: 9, width });
    for (const [size, stated, made] of [
      [32, 1.98, 1.01],
      [64, 7.94, 4.03],
    ] as const) {
      const { y } = attentionUnet(
        traced(params, "p"),
        traced(initAttentionUnetStatistics(params), "s"),
        input("x", [1, 6, size, size]),
        "inference",
      );
      const { network, fixed } = countMacs([y]);
      // A block that enlarges has its 3 x 3 and its 1 x 1 convolution at a quarter of the pixels.
      const saved = params.up.map(({ block: { conv1, shortcut } }, i) => {
        const products = conv1.weight.data.length + shortcut.data.length;
        return (3 / 4) * (size / 2 ** (params.up.length - 1 - i)) ** 2 * products;
      });
      const whole = saved.reduce((a, b) => a + b, network);
      expect(Math.round(whole / 1e7) / 100, `size ${size}`).toBe(stated);
      expect(Math.round(network / 1e7) / 100, `size ${size}, as made`).toBe(made);
      expect(fixed / network, `size ${size}: interpolation is a small part`).toBeLessThan(0.3);
    }
  });
});

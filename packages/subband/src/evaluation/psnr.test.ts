import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { psnr } from "./psnr.ts";
import { pictures } from "./skimage-pictures.testing.ts";

describe("psnr()", () => {
  test("equals scikit-image", () => {
    for (const { shape, a, b, psnr: want } of pictures())
      expectClose([psnr(a, b)], [want], { rtol: 1e-12, what: `[${shape.join(", ")}]` });
  });

  test("follows its formula for a constant difference, at any peak", () => {
    expectClose([psnr([0.5, 0.5], [0.4, 0.6])], [20], { rtol: 1e-12 });
    expectClose([psnr([25.5, 0, 0], [0, 25.5, 25.5], 255)], [20], { rtol: 1e-12 });
    expect(psnr([1, 2], [1, 2])).toBe(Infinity);
  });

  test("with weights, values of weight 0 may be anything, and 2 counts twice", () => {
    const [a, b] = [
      [0.5, Number.NaN, 0.3, 0.9, 7, 0.1],
      [0.4, 3, 0.1, 0.9, Infinity, 0.2],
    ];
    const mean = (2 * 0.1 ** 2 + 0.2 ** 2 + 0 + 0.1 ** 2) / (2 + 1 + 2 + 1);
    expectClose([psnr(a, b, 1, [2, 0, 1])], [-10 * Math.log10(mean)], { rtol: 1e-12 });
    expect(psnr([1, 5], [1, 6], 1, [1, 0])).toBe(Infinity);
    expect(() => psnr([1, 5], [1, 6], 1, [0, 0])).toThrow("psnr: all weights are 0");
    expect(() => psnr([1, 5, 1], [1, 6, 1], 1, [1, 1])).toThrow("psnr: 2 weights for 3 values");
  });

  test("refuses images of other sizes", () => {
    expect(() => psnr([1, 2], [1])).toThrow("psnr: 2 and 1 values; expected two images of one size.");
    expect(() => psnr([], [])).toThrow("psnr: 0 and 0 values");
  });
});

import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { pictures } from "./skimage-pictures.ts";
import { ssim } from "./ssim.ts";

describe("ssim()", () => {
  test("equals scikit-image, at any peak", () => {
    for (const { shape, a, b, ssim: want } of pictures()) {
      const what = `[${shape.join(", ")}]`;
      expectClose([ssim(a, b, shape)], [want], { rtol: 1e-10, what });
      const scaled = [a, b].map((values) => values.map((v) => 255 * v)) as [Float64Array, Float64Array];
      expectClose([ssim(...scaled, shape, 255)], [want], { rtol: 1e-10, what: `${what} to 255` });
    }
  });

  test("is 1 for equal images, symmetric, and follows its formula for constant ones", () => {
    const { shape, a, b } = pictures()[1]!;
    expectClose([ssim(a, a, shape)], [1], { rtol: 1e-12 });
    expectClose([ssim(a, b, shape)], [ssim(b, a, shape)], { rtol: 1e-12 });
    const flat = (v: number) => new Float64Array(12 * 13).fill(v);
    const want = (2 * 0.2 * 0.7 + 1e-4) / (0.2 ** 2 + 0.7 ** 2 + 1e-4);
    expectClose([ssim(flat(0.2), flat(0.7), [1, 12, 13])], [want], { rtol: 1e-9 });
  });

  test("refuses images of other shapes, and smaller than its window", () => {
    const image = new Float32Array(11 * 10);
    expect(() => ssim(image, image, [1, 11, 11])).toThrow(
      "ssim: 110 and 110 values; expected two images [1, 11, 11].",
    );
    expect(() => ssim(image, image, [1, 11, 10])).toThrow(
      "ssim: image of 10 x 11 pixels; expected at least 11 a side, the size of its window.",
    );
  });
});

import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { pictures } from "./skimage-pictures.testing.ts";
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

  test("with equal weights it is the same, and pixels of weight 0 may be anything", () => {
    for (const { shape, a, b, ssim: want } of pictures()) {
      const [, height, width] = shape;
      expectClose([ssim(a, b, shape, 1, new Float32Array(height * width).fill(0.25))], [want], {
        rtol: 1e-9,
      });
    }
    // A window's worth is seen of a larger image: what is left is that window alone.
    const { shape, a, b } = pictures()[1]!;
    const [, height, width] = shape;
    const hidden = (y: number, x: number): boolean => y >= height - 4 || x >= width - 3;
    const weights = Float32Array.from({ length: height * width }, (_, i) =>
      hidden(Math.floor(i / width), i % width) ? 0 : 1,
    );
    const spoiled = [a, b].map((values, k) =>
      values.map((v, i) => (weights[i % weights.length] === 0 ? [Number.NaN, 9][k]! : v)),
    ) as [Float64Array, Float64Array];
    const found = ssim(...spoiled, shape, 1, weights);
    expect(found).toBe(ssim(a, b, shape, 1, weights));
    expect(Math.abs(found - ssim(a, b, shape))).toBeLessThan(0.1);
    expect(() => ssim(a, b, shape, 1, new Float32Array(height * width))).toThrow("all weights are 0");
    expect(() => ssim(a, b, shape, 1, [1, 2])).toThrow("ssim: 2 weights; expected one a pixel");
  });

  test("weighted, it is the formula with weighted moments, window by window", () => {
    const [height, width] = [11, 12];
    const value = (i: number, k: number): number => 0.5 + 0.4 * Math.sin(1.7 * i + k);
    const x = Float64Array.from({ length: height * width }, (_, i) => value(i, 0));
    const y = Float64Array.from({ length: height * width }, (_, i) => value(i, 1));
    const weights = Float64Array.from({ length: height * width }, (_, i) => Math.max(0, Math.cos(0.9 * i)));
    let [total, count] = [0, 0];
    for (const left of [0, 1]) {
      const pixels = Array.from({ length: 121 }, (_, k) => {
        const [row, column] = [Math.floor(k / 11), k % 11];
        const bell = Math.exp(-((row - 5) ** 2 + (column - 5) ** 2) / (2 * 1.5 ** 2));
        const i = row * width + left + column;
        return { x: x[i]!, y: y[i]!, w: bell * weights[i]!, bell };
      });
      const weight = pixels.reduce((sum, { w }) => sum + w, 0);
      const mean = (f: (p: { x: number; y: number }) => number): number =>
        pixels.reduce((sum, p) => sum + p.w * f(p), 0) / weight;
      const [mx, my] = [mean((p) => p.x), mean((p) => p.y)];
      const vx = mean((p) => (p.x - mx) ** 2);
      const vy = mean((p) => (p.y - my) ** 2);
      const cov = mean((p) => (p.x - mx) * (p.y - my));
      const index =
        ((2 * mx * my + 1e-4) * (2 * cov + 9e-4)) / ((mx ** 2 + my ** 2 + 1e-4) * (vx + vy + 9e-4));
      total += weight * index;
      count += weight;
    }
    expectClose([ssim(x, y, [1, height, width], 1, weights)], [total / count], { rtol: 1e-9 });
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

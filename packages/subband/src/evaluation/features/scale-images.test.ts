import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import golden from "../../../../../tests/support/scaled-images-golden.json" with { type: "json" };
import { type Extents, scaleImages } from "./scale-images.ts";

const image = Float64Array.from({ length: 35 }, (_, i) => Math.sin(0.0137 * i * i));
const from: Extents = [7, 5];
const extentsOf = (extents: readonly number[]) => extents as unknown as Extents;

describe("scaleImages()", () => {
  test.each(golden.smaller)("gives scikit-image's local means at $extents", ({ extents, values }) => {
    expectClose(scaleImages(image, 1, from, extentsOf(extents)), values, { rtol: 1e-6, atol: 1e-7 });
  });

  test.each(golden.larger)("gives PyTorch's bilinear interpolation at $extents", ({ extents, values }) => {
    expectClose(scaleImages(image, 1, from, extentsOf(extents)), values, { rtol: 1e-6, atol: 1e-7 });
  });

  test("treats planes alone, and each way by itself", () => {
    const two = Float64Array.from({ length: 70 }, (_, i) => (i < 35 ? image[i]! : 2 * image[i - 35]!));
    const [one, both] = [scaleImages(image, 1, from, [3, 8]), scaleImages(two, 2, from, [3, 8])];
    expectClose(both, [...one, ...one.map((v) => 2 * v)], { rtol: 1e-6 });
    // The columns of a picture that only shrinks upwards are means of its own.
    const up = scaleImages(image, 1, from, [1, 5]);
    const means = Array.from({ length: 5 }, (_, x) => {
      return Array.from({ length: 7 }, (__, y) => image[5 * y + x]!).reduce((a, b) => a + b) / 7;
    });
    expectClose(up, means, { rtol: 1e-6, atol: 1e-7 });
  });

  test("keeps the mean of what it shrinks, whatever the extents", () => {
    const mean = (values: ArrayLike<number>) => Array.from(values).reduce((a, b) => a + b) / values.length;
    for (let height = 1; height <= 7; height++)
      for (let width = 1; width <= 5; width++)
        expect(mean(scaleImages(image, 1, from, [height, width])), `${height} x ${width}`).toBeCloseTo(
          mean(image),
          6,
        );
  });
});

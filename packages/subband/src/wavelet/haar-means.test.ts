import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { dwt2 } from "./dwt.ts";
import { joinMeans, splitMeans } from "./haar-means.ts";
import { planes } from "./planes.ts";

describe("splitMeans()", () => {
  test("has the published values for one block", () => {
    const { low, details } = splitMeans(planes(new Float64Array([0.9, 0.5, 0.3, 0.1]), [1, 2, 2]));
    expectClose(low.data, [0.45]);
    expectClose(details.data, [0.25, 0.15, 0.05]); // (a+b-c-d)/4, (a-b+c-d)/4, (a-b-c+d)/4
    expect(details.shape).toEqual([3, 1, 1]);
  });

  test("is the Haar transform of PyWavelets over 2, band by band, for batches and channels", () => {
    const x = planes(rng(1, "haar-means").fillNormal(new Float64Array(2 * 3 * 4 * 6)), [2, 3, 4, 6]);
    const { low, details } = splitMeans(x);
    const [cA, bands] = dwt2(x, "haar", "symmetric");
    expectClose(
      low.data,
      cA.data.map((value) => value / 2),
      { rtol: 1e-12 },
    );
    expect(details.shape).toEqual([2, 9, 2, 3]);
    bands.forEach((band, b) => {
      for (let image = 0; image < 2; image++)
        expectClose(
          details.data.subarray((image * 9 + b * 3) * 6, (image * 9 + b * 3 + 3) * 6),
          band.data.subarray(image * 18, image * 18 + 18).map((value) => value / 2),
          { rtol: 1e-12, what: `band ${b}, image ${image}` },
        );
    });
  });

  test("keeps images within [0, 1] there, over three levels, and joinMeans inverts it", () => {
    let x = planes(
      Float64Array.from({ length: 3 * 8 * 16 }, () => 0),
      [3, 8, 16],
    );
    const random = rng(2, "haar-means");
    for (let i = 0; i < x.data.length; i++) x.data[i] = random.uniform();
    for (let level = 1; level <= 3; level++) {
      const bands = splitMeans(x);
      expect(Math.min(...bands.low.data), `level ${level}`).toBeGreaterThanOrEqual(0);
      expect(Math.max(...bands.low.data), `level ${level}`).toBeLessThanOrEqual(1);
      expect(Math.max(...bands.details.data.map(Math.abs)), `level ${level}`).toBeLessThanOrEqual(0.5);
      const back = joinMeans(bands);
      expect(back.shape, `level ${level}`).toEqual(x.shape);
      expectClose(back.data, x.data, { rtol: 1e-12, what: `level ${level}` });
      x = bands.low;
    }
  });
});

describe("errors", () => {
  test("odd sizes and bands of different shapes are refused", () => {
    const bands = splitMeans(planes(new Float32Array(16), [1, 4, 4]));
    for (const run of [
      () => splitMeans(planes(new Float32Array(12), [1, 3, 4])),
      () => joinMeans({ low: planes(new Float32Array(2), [1, 1, 2]), details: bands.details }),
    ])
      expect(run).toThrow(UserError);
  });
});

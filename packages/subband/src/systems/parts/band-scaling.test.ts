import { input, interpret, rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import {
  analyseLevel,
  type BandScaling,
  coarsestLow,
  measureBandScaling,
  restoreLow,
  standardizeLow,
  synthesiseLevel,
} from "./band-scaling.ts";

const scaling: BandScaling = {
  lowMean: [0.1, -0.2],
  lowStd: [0.5, 0.25],
  detailRms: [
    [0.1, 0.2, 0.3, 0.4, 0.5, 0.6],
    [0.2, 0.3, 0.4, 0.5, 0.6, 0.7],
  ],
};

describe("measureBandScaling()", () => {
  test("finds mean, deviation and root mean square of independent noise", () => {
    // White noise of deviation 0.5 around 0.3: every orthonormal coefficient has deviation 0.5. In image range the low
    // band of level 2 has 0.5 / 4, details of level 1 have 0.5 and of level 2 have 0.5 / 2.
    const shape = { count: 400, channels: 1, height: 16, width: 8, levels: 2 };
    const measured = measureBandScaling(shape, (i) =>
      rng(5, "noise", i)
        .fillNormal(new Float32Array(128))
        .map((v) => 0.3 + 0.5 * v),
    );
    // 400 x 8 coefficients at level 2: relative standard error 1 / sqrt(2 x 3200) = 1.3 %; four of them.
    expectClose(measured.lowMean, [0.3], { atol: 0.01 });
    expectClose(measured.lowStd, [0.125], { rtol: 0.05 });
    expectClose(measured.detailRms[0]!, [0.5, 0.5, 0.5], { rtol: 0.05 });
    expectClose(measured.detailRms[1]!, [0.25, 0.25, 0.25], { rtol: 0.05 });
  });
  test("never divides by the nothing of an empty band", () => {
    const measured = measureBandScaling({ count: 2, channels: 1, height: 4, width: 4, levels: 1 }, () =>
      new Float32Array(16).fill(0.5),
    );
    expect(Math.min(...measured.lowStd, ...measured.detailRms[0]!)).toBeGreaterThan(0);
  });
});

describe("bands as graph", () => {
  const pixels = input("pixels", [2, 2, 8, 4]);
  const feeds = { pixels: rng(1, "pixels").fillNormal(new Float64Array(128)) };

  test("synthesis inverts analysis at every level", () => {
    const fine = analyseLevel(pixels, 1, scaling);
    const coarse = analyseLevel(fine.low, 2, scaling);
    const low = synthesiseLevel(coarse.low, coarse.detail, 2, scaling);
    const [image] = interpret([synthesiseLevel(low, fine.detail, 1, scaling)], feeds);
    expectClose(image!.data, feeds.pixels, { atol: 1e-6 });
  });
  test("the low band of level 2 is the mean of 4 x 4 pixels", () => {
    const [low] = interpret([coarsestLow(pixels, 2)], feeds);
    const expected = Array.from({ length: 8 }, (_, i) => {
      const [plane, row] = [Math.floor(i / 2), i % 2];
      let total = 0;
      for (let y = 0; y < 4; y++)
        for (let x = 0; x < 4; x++) total += feeds.pixels[plane * 32 + (4 * row + y) * 4 + x]!;
      return total / 16;
    });
    expectClose(low!.data, expected, { atol: 1e-6 });
  });
  test("standardising and restoring the low band cancel, and the channels keep their own scale", () => {
    const low = input("low", [1, 2, 1, 1]);
    const [standard, restored] = interpret(
      [standardizeLow(low, scaling), restoreLow(standardizeLow(low, scaling), scaling)],
      { low: [0.6, 0.05] },
    );
    expectClose(standard!.data, [1, 1], { atol: 1e-6 });
    expectClose(restored!.data, [0.6, 0.05], { atol: 1e-6 });
  });
  test("levels beyond the measured ones take the scale of the coarsest", () => {
    const [two, three] = [2, 3].map((level) => analyseLevel(pixels, level, scaling).detail);
    const [a, b] = interpret([two!, three!], feeds);
    expectClose(a!.data, b!.data);
  });
});

import { atOnce, constant, interpret, rng, type Tensor } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { storedLow } from "./bands.ts";
import { resolveWmgmFaithfulConfig, type WmgmFaithfulConfig } from "./config.ts";
import {
  lowFormulation,
  lowSchedule,
  measuringLowRange,
  normalizeLow,
  orthonormalLow,
  restoreLow,
  toUnit,
} from "./low.ts";

const values = (tensor: Tensor): number[] => [...interpret([tensor], {})[0]!.data];
const range = { least: 0.25, greatest: 3.5 };
const released = resolveWmgmFaithfulConfig(
  { channels: 3, height: 64, width: 64, levels: 2 },
  { range, images: 9 },
);
const repaired: WmgmFaithfulConfig = { ...released, defects: { ...released.defects, eightBitLow: false } };

describe("measuringLowRange()", () => {
  test("finds the extremes of the low band over all images, at any level and for images that are not square", () => {
    for (const levels of [0, 1, 2]) {
      const images = [0, 1, 2].map((i) =>
        rng(8, "low-range-test", i).fillNormal(new Float32Array(3 * 16 * 32)),
      );
      const lows = images.flatMap((image) =>
        values(orthonormalLow(toUnit(constant(image, [1, 3, 16, 32])), levels)),
      );
      const found = atOnce(
        measuringLowRange({ count: 3, channels: 3, height: 16, width: 32, levels }, (i) => images[i]!),
      );
      expectClose([found.least, found.greatest], [Math.min(...lows), Math.max(...lows)], {
        rtol: 1e-6,
        what: `${levels} levels`,
      });
    }
  });

  test("spans something even where all images are of one colour", () => {
    const grey = new Float32Array(3 * 4 * 4);
    const found = atOnce(
      measuringLowRange({ count: 1, channels: 3, height: 4, width: 4, levels: 1 }, () => grey),
    );
    expect(found).toEqual({ least: 1, greatest: 1.0001 });
  });
});

describe("normalizeLow()", () => {
  const low = Float32Array.from({ length: 3 * 64 }, (_, i) => range.least + (3.25 * i) / 191);

  test("is [-1, 1] of what the 8-bit files hold", () => {
    const stored = storedLow(low, range, 2);
    const got = values(normalizeLow(constant(low, [1, 3, 8, 8]), released));
    expectClose(
      got,
      Array.from(stored, (v) => v / 2 - 1),
      { atol: 1e-6 },
    );
    expect(new Set(got.map((v) => Math.round(v * 1e6))).size).toBeGreaterThan(100);
  });

  test("is the min-max normalised band itself where that defect is repaired", () => {
    expectClose(
      values(normalizeLow(constant(low, [1, 3, 8, 8]), repaired)),
      Array.from(low, (v) => ((v - 0.25) / 3.25) * 2 - 1),
      { atol: 1e-6 },
    );
  });
});

describe("restoreLow()", () => {
  test("cuts to 8 bits and multiplies by 4 at two levels, whatever the range", () => {
    // Middles of the cells of (x + 1) * 127.5, and values beyond the range.
    const sample = [-7, ...Array.from({ length: 254 }, (_, k) => (k + 0.5) / 127.5 - 1), 7, 1];
    const want = [0, ...Array.from({ length: 254 }, (_, k) => (4 * k) / 255), 4, 4];
    expectClose(values(restoreLow(constant(sample, [1, 1, 1, 257]), released)), want, { atol: 1e-6 });
  });

  test("undoes the measured range where that defect is repaired", () => {
    const low = [0.25, 1, 2.125, 3.5];
    const there = normalizeLow(constant(low, [1, 1, 2, 2]), repaired);
    expectClose(values(restoreLow(there, repaired)), low, { atol: 1e-6 });
  });
});

describe("lowFormulation()", () => {
  test("predicts noise on DDPM's state and tells t / T", () => {
    const { sigma } = lowSchedule(released);
    const { cSkip, cOut, cIn, cNoise } = lowFormulation(released).coefficients(sigma(0.4));
    const [abar, level] = [1 / (1 + sigma(0.4) ** 2), sigma(0.4)];
    expectClose([cSkip, cOut, cIn, cNoise], [1, -level, Math.sqrt(abar), 0.4], { rtol: 1e-6 });
  });

  test("the schedule ends at DDPM's signal fraction after 1000 linear betas", () => {
    let abar = 1;
    for (let t = 0; t < 1000; t++) abar *= 1 - (1e-4 + ((2e-2 - 1e-4) * t) / 999);
    expectClose([1 / (1 + lowSchedule(released).sigmas(16)[0]! ** 2)], [abar], { rtol: 1e-9 });
  });
});

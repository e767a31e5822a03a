import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { injectedNoise, stepSize, stepsBetween } from "./step-size.ts";

describe("stepSize()", () => {
  test("rises as h0 t / (1 + h0 (t - 1)) from h0 towards 1, or stays", () => {
    expectClose(
      [1, 2, 100, 1e6].map((t) => stepSize({ h0: 0.01 }, t)),
      [0.01, 0.02 / 1.01, 1 / 1.99, 1e4 / (1 + 0.01 * (1e6 - 1))],
      { rtol: 1e-12 },
    );
    expect([1, 50].map((t) => stepSize({ h0: 0.02, rising: false }, t))).toEqual([0.02, 0.02]);
  });
});

describe("injectedNoise()", () => {
  test("brings what a step leaves of the noise back to 1 - beta h, and is exactly 0 for beta 1", () => {
    for (const beta of [0.01, 0.1, 0.5, 0.9, 1])
      for (const h of [0.001, 0.01, 0.3, 1]) {
        const total = (1 - h) ** 2 + injectedNoise({ beta }, h) ** 2;
        expectClose([total], [(1 - beta * h) ** 2], { rtol: 1e-13, atol: 0, what: `beta ${beta}, h ${h}` });
        if (beta === 1) expect(injectedNoise({ beta }, h), `h ${h}`).toBe(0);
      }
  });
});

describe("stepsBetween()", () => {
  // Counts verified for the published constants; 47 is also what the released notebook prints for beta 0.5.
  const published = [
    { beta: 1, rising: 32, fixed: 459 },
    { beta: 0.5, rising: 47, fixed: 919 },
    { beta: 0.1, rising: 127, fixed: 4603 },
    { beta: 0.05, rising: 200, fixed: undefined },
    { beta: 0.01, rising: 661, fixed: 46_050 },
  ];

  test("counts the published steps from level 1 to 0.01 with h0 = 0.01", () => {
    for (const { beta, rising, fixed } of published) {
      expect(stepsBetween({ h0: 0.01, beta }, 1, 0.01), `beta ${beta}, rising`).toBe(rising);
      if (fixed !== undefined)
        expect(stepsBetween({ h0: 0.01, beta, rising: false }, 1, 0.01), `beta ${beta}, fixed`).toBe(fixed);
    }
  });

  test("with a fixed step is ln(to / from) / ln(1 - beta h0), rounded up", () => {
    for (const beta of [0.03, 0.2, 0.77])
      for (const h0 of [0.004, 0.05]) {
        const want = Math.ceil(Math.log(0.02 / 3) / Math.log1p(-beta * h0));
        expect(stepsBetween({ h0, beta, rising: false }, 3, 0.02), `beta ${beta}, h0 ${h0}`).toBe(want);
      }
  });
});

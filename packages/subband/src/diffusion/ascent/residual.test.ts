import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { startNoise } from "../noise.ts";
import { sample } from "../samplers/samplers.ts";
import { edmSchedule } from "../schedules/edm.ts";
import { lowRankResidual } from "./exact-residuals.testing.ts";
import { blindDenoiser } from "./residual.ts";

const D = 400;
const COUNT = 60;
const variances = [4, 0.5, 0.05];
const basis = Float64Array.from({ length: 3 * D }, (_, i) => {
  const [k, j] = [Math.floor(i / D), i % D];
  return Math.sqrt((k === 0 ? 1 : 2) / D) * Math.cos((Math.PI * k * (j + 0.5)) / D);
});
const residual = lowRankResidual<Float32Array>({ mean: new Float64Array(D), variances, basis });

/** Sum of squares of all images' coordinates along direction k. */
const energy = (x: Float32Array, k: number): number => {
  let total = 0;
  for (let from = 0; from < x.length; from += D) {
    let along = 0;
    for (let j = 0; j < D; j++) along += basis[k * D + j]! * x[from + j]!;
    total += along * along;
  }
  return total;
};

describe("blindDenoiser()", () => {
  test("takes the predicted noise away, whatever level it is told, and keeps its input", async () => {
    const x = new Float32Array([1, 2, 3]);
    const denoise = blindDenoiser<Float32Array>((y) => y.map((value) => 0.25 * value));
    expectClose(await denoise(x, 0.1), [0.75, 1.5, 2.25]);
    expectClose(await denoise(x, 5), [0.75, 1.5, 2.25]);
    expect([...x]).toEqual([1, 2, 3]);
  });

  test("lets at most 20 calls draw a Gaussian with its variances: to 5 % by DPM-Solver++", async () => {
    for (const [name, steps, calls, rtol] of [
      ["dpmpp2m", 20, 20, 0.05],
      ["heun", 10, 19, 0.22],
    ] as const) {
      const sigmas = edmSchedule({ sigmaMax: 10, sigmaMin: 0.01 }).sigmas(steps);
      const start = startNoise({ seed: 1, count: COUNT }, 10, new Float32Array(COUNT * D));
      let made = 0;
      const x = await sample(
        name,
        blindDenoiser<Float32Array>((y) => (made++, residual(y))),
        start,
        sigmas,
      );
      expect(made, name).toBe(calls);
      // Every direction is only scaled, so the scale tells the variance without the error of few samples.
      const got = variances.map((_, k) => (100 * energy(x, k)) / energy(start, k));
      expectClose(got, variances, { rtol, what: name });
    }
  });
});

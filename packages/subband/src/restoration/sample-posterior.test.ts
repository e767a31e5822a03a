import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { lowRankResidual } from "../diffusion/ascent/exact-residuals.testing.ts";
import { inpainting } from "../diffusion/measurements/pixels.ts";
import { samplePosterior } from "./sample-posterior.ts";

/** Images of 8 x 9 that are two known waves of random strengths about 0.5; the residual is exact. */
const [H, W] = [8, 9];
const wave = (k: number): number[] => {
  const values = Array.from({ length: H * W }, (_, i) => Math.cos((Math.PI * k * ((i % W) + 0.5)) / W));
  const norm = Math.hypot(...values);
  return values.map((value) => value / norm);
};
const residual = lowRankResidual<Float32Array>({
  mean: new Float64Array(H * W).fill(0.5),
  variances: [1, 0.5],
  basis: [...wave(1), ...wave(2)],
});
const truth = Float32Array.from({ length: H * W }, (_, i) => 0.5 + 0.9 * wave(1)[i]! - 0.6 * wave(2)[i]!);
const known = Uint8Array.from({ length: H * W }, (_, i) => (i % W >= 3 && i % W < 6 ? 0 : 1));
const measurement = inpainting([1, H, W], known);
const data = { measurement, values: measurement.measure(truth) };

describe("samplePosterior()", () => {
  test("meets the data to rounding, and finds what they determine", async () => {
    const { mean, deviation } = await samplePosterior(residual, data, 0, { seed: 1, samples: 1 });
    expect(deviation).toBeUndefined();
    expectClose(measurement.measure(mean), data.values, { atol: 1e-6 });
    // Two strengths, 48 known pixels: the rest follows.
    expectClose(mean, truth, { atol: 0.02 });
  });

  test("says how far the samples differ: nothing where known, little where determined", async () => {
    const noisy = { ...data, noise: 0.05 };
    const { mean, deviation } = await samplePosterior(residual, noisy, 0, { seed: 1, samples: 6 });
    expect(Math.max(...deviation!)).toBeGreaterThan(1e-4);
    expect(Math.max(...deviation!)).toBeLessThan(0.1);
    expectClose(mean, truth, { atol: 0.1 });
    const exact = await samplePosterior(residual, data, 0, { seed: 1, samples: 3 });
    expectClose(measurement.measure(exact.deviation!), new Float32Array(measurement.count), { atol: 1e-6 });
  });

  test("a sample depends on seed, plane and its number alone", async () => {
    const blind = (y: Float32Array): Float32Array => y.map((value) => 0.5 * value);
    const draw = async (seed: number, plane: number, samples: number): Promise<Float32Array> =>
      (await samplePosterior(blind, data, plane, { seed, samples })).mean;
    const [one, two] = [await draw(1, 0, 1), await draw(1, 0, 2)];
    const again = await draw(1, 0, 1);
    expectClose(one, again, { atol: 0, rtol: 0 });
    for (const [what, other] of [
      ["more samples", two],
      ["seed", await draw(2, 0, 1)],
      ["plane", await draw(1, 1, 1)],
    ] as const)
      expect(
        other.some((value, i) => Math.abs(value - one[i]!) > 1e-4),
        what,
      ).toBe(true);
  });

  test("refuses images that would not fit in memory", async () => {
    const huge = { ...measurement, size: 4e7 };
    await expect(
      samplePosterior(residual, { ...data, measurement: huge }, 0, { seed: 1, samples: 1 }),
    ).rejects.toThrow("too large to sample: 40 megapixels, the most is 36.");
  });
});

/** @module Whether sampling of WMGM's low band, of any extents, comes to the deviation of the data, by a closed form. */
import { describe, expect, test } from "vitest";
import { runPlan } from "../../diffusion/samplers/plan.ts";
import type { Diffuse } from "../draw.ts";
import { resolveWmgmConfig } from "./config.ts";
import { wmgm } from "./wmgm.ts";

/**
 * Variance of the mean of a standardised low band, the grey of all channels and the largest there is, as 12,000 images of
 * CIFAR-10 and 4,096 faces have it.
 */
const MEANS = [
  { data: "CIFAR-10", pixels: 32, levels: 2, variance: 0.213 },
  { data: "CIFAR-10", pixels: 32, levels: 1, variance: 0.181 },
  { data: "CIFAR-10", pixels: 32, levels: 0, variance: 0.166 },
  { data: "faces", pixels: 64, levels: 3, variance: 0.167 },
  { data: "faces", pixels: 64, levels: 2, variance: 0.146 },
  { data: "faces", pixels: 64, levels: 1, variance: 0.132 },
] as const;

describe("sampling of the low band", () => {
  /** Steps of the preset itself for images of these extents; scaling plays no part. */
  function lowStep(height: number, width: number, levels: number, asked: object): Diffuse {
    const scaling = { lowMean: [0, 0, 0], lowStd: [1, 1, 1], detailRms: Array<number[]>(levels).fill([]) };
    const { draw } = wmgm(resolveWmgmConfig({ channels: 3, height, width, levels }, scaling));
    return draw.steps(draw.choose(asked as never))[0] as Diffuse;
  }

  /**
   * Deviation of a coefficient over the data's, N(0, v), when its best denoiser, x v / (v + sigma^2), takes the place of the
   * network: what is drawn is linear in the start, of deviation `start`.
   */
  async function deviation({ plan, start }: Diffuse, v: number): Promise<number> {
    const best = (x: Float64Array, { sigma }: { sigma: number }) =>
      x.map((value) => (value * v) / (v + sigma ** 2));
    const [end] = await runPlan(plan, best, Float64Array.of(start));
    return end! / Math.sqrt(v);
  }

  test.each(MEANS)("$data, $levels levels: has the mean of the data within 4 %", async (of) => {
    const { pixels, levels, variance } = of;
    const side = pixels / 2 ** levels;
    // The orthonormal coefficient of the mean is the mean times sqrt(3) side.
    const v = 3 * side ** 2 * variance;
    expect(Math.abs((await deviation(lowStep(pixels, pixels, levels, {}), v)) - 1)).toBeLessThan(0.04);
    // Fine steps leave what the start lacks, sigma / sqrt(v + sigma^2), in bands of any extents alike.
    const fine = lowStep(pixels, pixels, levels, { sampler: "heun", steps: 256 });
    const found = await deviation(fine, v);
    expect(found).toBeCloseTo(fine.start / Math.hypot(Math.sqrt(v), fine.start), 3);
    expect(found).toBeGreaterThan(0.94);
  });

  test("starts at 20 in 8 steps up to 8 x 8, and by the area of what is larger", () => {
    const startOf = (height: number, width: number): number[] => {
      const { start, plan } = lowStep(height, width, 0, {});
      return [Math.round(start * 10) / 10, plan.length];
    };
    expect(startOf(4, 8)).toEqual([20, 8]);
    expect(startOf(8, 8)).toEqual([20, 8]);
    expect(startOf(8, 32)).toEqual([40, 10]);
    expect(startOf(32, 32)).toEqual([80, 12]);
  });
});

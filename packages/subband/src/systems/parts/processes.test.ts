import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { samplerNamed } from "../../diffusion/samplers/samplers.ts";
import { processNamed, PROCESSES } from "./processes.ts";

describe("processNamed()", () => {
  test.each(PROCESSES)(
    "%s: a network is told scalars that move by about 1, apart from each other",
    (name) => {
      const { formulation, schedule } = processNamed(name, 1, "quadratic");
      const told = schedule
        .sigmas(16)
        .slice(0, -1)
        .map((sigma) => formulation.coefficients(sigma).cNoise);
      const span = Math.max(...told) - Math.min(...told);
      expect(span).toBeGreaterThan(0.7);
      expect(span).toBeLessThan(10);
      expect(Math.max(...told.map(Math.abs))).toBeLessThan(6);
      for (const [i, value] of told.slice(1).entries()) expect(value).toBeLessThan(told[i]!);
    },
  );

  test.each(PROCESSES)("%s: training draws the levels of noise that sampling walks down", (name) => {
    const { formulation, schedule } = processNamed(name, 1, "quadratic");
    const random = rng(1, "training-levels");
    const drawn = Float64Array.from({ length: 4000 }, () => formulation.trainingSigma(random)).sort();
    const walked = schedule.sigmas(16).slice(0, -1);
    expect(drawn[3960]! / walked[0]!).toBeGreaterThan(0.05);
    expect(drawn[40]! / walked.at(-1)!).toBeLessThan(10);
  });

  test("edm: data of any deviation is the same process in its units", () => {
    const [one, other] = [1, 0.5].map((deviation) => processNamed("edm", deviation, "uniform"));
    const levels = one!.schedule.sigmas(5);
    expectClose(
      other!.schedule.sigmas(5),
      levels.map((sigma) => sigma / 2),
      { rtol: 1e-12 },
    );
    for (const sigma of levels.slice(0, -1)) {
      const [a, b] = [one!.formulation.coefficients(sigma), other!.formulation.coefficients(sigma / 2)];
      expectClose([b.cSkip, b.cOut, b.cIn], [a.cSkip, a.cOut / 2, a.cIn * 2], { rtol: 1e-12 });
    }
    expectClose(
      [other!.formulation.trainingSigma(rng(1, "level"))],
      [one!.formulation.trainingSigma(rng(1, "level")) / 2],
      { rtol: 1e-12 },
    );
  });

  test.each([8, 32, 128])(
    "edm: sampling extents of %d starts where the mean of an image has drowned",
    (side) => {
      // The orthonormal coefficient of a mean of deviation 0.6, as photographs have it beside pixels of 1, is 0.6 side; of
      // the start, which has none of it, the share s / sqrt(s^2 + sigma^2) never comes (exact denoiser, fine steps).
      const [start] = processNamed("edm", 1, "uniform", side).schedule.sigmas(16);
      const s = 0.6 * side;
      expect(s / Math.hypot(s, start!)).toBeLessThan(0.25);
      const before = processNamed("edm", 1, "uniform").schedule.sigmas(16)[0]!;
      expect(s / Math.hypot(s, before) > 0.25).toBe(side > 8);
    },
  );

  test.each(["uniform", "quadratic"] as const)(
    "ou, %s times: steps have the variance beta_k = 1 - exp(-2 (t_k - t_(k-1))) of WSGM's code",
    (times) => {
      const steps = 4;
      const { schedule, sampling } = processNamed("ou", 1, times);
      const plan = samplerNamed("ddpm").plan(schedule.sigmas(steps), sampling);
      const time = (k: number): number => 5 * (k / steps) ** (times === "uniform" ? 1 : 2);
      const want = [4, 3, 2, 1].map((k) => {
        const beta = 1 - Math.exp(-2 * (time(k) - time(k - 1)));
        // Of the state exp(-t) x0 + ..., which is exp(-t) times ours; no noise in the last step.
        return k === 1 ? 0 : Math.sqrt(beta) * Math.exp(time(k - 1));
      });
      expectClose(
        plan.map(({ noiseAfter }) => noiseAfter),
        want,
        { rtol: 1e-9 },
      );
    },
  );
});

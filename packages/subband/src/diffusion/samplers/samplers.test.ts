import { UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import type { Denoiser } from "../denoiser.ts";
import { gaussianDenoiser } from "../gaussian.testing.ts";
import { startNoise, stepNoise } from "../noise.ts";
import { edmSchedule } from "../schedules/edm.ts";
import { flowSchedule } from "../schedules/flow.ts";
import { schedules } from "../schedules/schedules.ts";
import { sampleDdim } from "./ddim.ts";
import { planDdpm, sampleDdpm } from "./ddpm.ts";
import { planDpmpp2m, sampleDpmpp2m } from "./dpmpp2m.ts";
import { sampleEdmStochastic } from "./edm-stochastic.ts";
import { sampleEuler } from "./euler.ts";
import { sampleHeun } from "./heun.ts";
import { atLevel, runPlan, type StepReport } from "./plan.ts";
import { sampleReverseSde } from "./reverse-sde.ts";
import { linearPlan, sample, samplerNamed, samplerCost, samplers } from "./samplers.ts";

const names = Object.keys(samplers);
const images = { seed: 11, count: 3 };
const sigmas = edmSchedule({ sigmaMax: 20 }).sigmas(9);
const start = startNoise(images, 20, new Float64Array(3 * 8));
const noise = stepNoise<Float64Array>(images);
/** Nonlinear, so that an identity which holds for it does not hold by linearity. */
const curved: Denoiser<Float64Array> = (x, sigma) => x.map((value) => Math.tanh(value / (1 + sigma * sigma)));

describe("identities between samplers", () => {
  test("DDIM with eta 0 is Euler's method, for a nonlinear denoiser", async () => {
    expectClose(await sampleDdim(curved, start, sigmas), await sampleEuler(curved, start, sigmas), {
      rtol: 1e-12,
    });
  });

  test("DDIM with eta 1 is ancestral DDPM, for a nonlinear denoiser and the same noise", async () => {
    const got = await sampleDdim(curved, start, sigmas, { eta: 1, noise });
    expectClose(got, await sampleDdpm(curved, start, sigmas, { noise }), { rtol: 1e-12 });
  });

  test("EDM's stochastic sampler without churn is Heun's method, and needs no noise", async () => {
    const got = await sampleEdmStochastic(curved, start, sigmas, { churn: 0 });
    expectClose(got, await sampleHeun(curved, start, sigmas), { rtol: 1e-12 });
  });

  test("DPM-Solver++(2M) with one or two steps is DDIM", async () => {
    for (const steps of [1, 2]) {
      const few = edmSchedule({ sigmaMax: 20 }).sigmas(steps);
      const got = await sampleDpmpp2m(curved, start, few);
      expectClose(got, await sampleDdim(curved, start, few), { rtol: 1e-12, what: `${steps} steps` });
    }
  });
});

describe("samplers against their published form", () => {
  const last = [20, 5, 1, 0.2, 0];

  test("heun agrees with algorithm 1 of Karras et al. written out", async () => {
    let x = start;
    for (const [i, sigma] of last.slice(0, -1).entries()) {
      const next = last[i + 1]!;
      const slope = (await curved(x, sigma)).map((d, k) => (x[k]! - d) / sigma);
      const moved = x.map((value, k) => value + (next - sigma) * slope[k]!);
      if (next > 0) {
        const slope2 = (await curved(moved, next)).map((d, k) => (moved[k]! - d) / next);
        x = x.map((value, k) => value + ((next - sigma) * (slope[k]! + slope2[k]!)) / 2);
      } else x = moved;
    }
    expectClose(await sampleHeun(curved, start, last), x, { rtol: 1e-11 });
  });

  test("ddpm agrees with algorithm 2 of Ho et al. on the variance-preserving state, for both variances", async () => {
    const { sigmas: levels } = schedules.ddpm();
    const walk = levels(20);
    for (const variance of ["posterior", "beta"] as const) {
      // y = sqrt(abar) x; epsilon prediction; betas of the respaced chain.
      let y = start.map((value) => (value / 20) * walk[0]! * Math.sqrt(1 / (1 + walk[0]! ** 2)));
      const begin = start.map((value) => (value / 20) * walk[0]!);
      const fresh = new Float64Array(start.length);
      for (let i = 0; i + 1 < walk.length; i++) {
        const abar = 1 / (1 + walk[i]! ** 2);
        const abarNext = 1 / (1 + walk[i + 1]! ** 2);
        const beta = 1 - abar / abarNext;
        const d = await curved(
          y.map((value) => value / Math.sqrt(abar)),
          walk[i]!,
        );
        const epsilon = y.map((value, k) => (value - Math.sqrt(abar) * d[k]!) / Math.sqrt(1 - abar));
        const std = Math.sqrt(variance === "beta" ? beta : (beta * (1 - abarNext)) / (1 - abar));
        if (i + 2 < walk.length) noise(i, fresh);
        else fresh.fill(0);
        y = y.map(
          (v, k) => (v - (beta / Math.sqrt(1 - abar)) * epsilon[k]!) / Math.sqrt(1 - beta) + std * fresh[k]!,
        );
      }
      expectClose(await sampleDdpm(curved, begin, walk, { variance, noise }), y, {
        rtol: 1e-8,
        what: variance,
      });
    }
  });

  test("euler on the flow schedule is Euler's method on dz/dt = v along the straight path", async () => {
    const walk = flowSchedule().sigmas(6);
    const times = walk.map((sigma) => sigma / (1 + sigma));
    let z = start.map((value) => value * (1 - times[0]!));
    for (let i = 0; i + 1 < times.length; i++) {
      const t = times[i]!;
      const d = await curved(
        z.map((value) => value / (1 - t)),
        walk[i]!,
      );
      z = z.map((value, k) => value + ((times[i + 1]! - t) * (value - d[k]!)) / t); // v = (z - D) / t
    }
    expectClose(await sampleEuler(curved, start, walk), z, { rtol: 1e-9 });
  });

  test("reverse-sde on the VP process agrees with Euler-Maruyama of equation 11 in beta, for tiny steps", async () => {
    // Equal integrals of beta: ln(1 + sigma^2) falls evenly, y = x / sqrt(1 + sigma^2).
    const h = 0.01;
    const walk = Array.from({ length: 6 }, (_, i) => Math.sqrt(Math.expm1(3 - i * h)));
    let y = start.map((value) => value * Math.exp(-1.5));
    const fresh = new Float64Array(start.length);
    for (let i = 0; i < 5; i++) {
      const s = 1 / Math.hypot(1, walk[i]!);
      const d = await curved(
        y.map((value) => value / s),
        walk[i]!,
      );
      noise(i, fresh);
      y = y.map((v, k) => v + (v / 2 + (s * d[k]! - v) / (1 - s * s)) * h + Math.sqrt(h) * fresh[k]!);
    }
    const got = await sampleReverseSde(curved, start, walk, { process: "vp", noise });
    expectClose(
      got.map((value) => value / Math.hypot(1, walk[5]!)),
      y,
      { rtol: 1e-9 },
    );
  });
});

describe("plans", () => {
  test("have exactly nfe(steps) calls on every schedule that ends in 0, with finite factors", () => {
    for (const name of names) {
      for (const [scheduleName, schedule] of Object.entries(schedules)) {
        for (const steps of [1, 2, 3, 10, 50]) {
          const plan = linearPlan(name, schedule().sigmas(steps));
          const what = `${name}, ${scheduleName}, ${steps} steps`;
          expect(plan.length, what).toBe(samplerCost(name, steps).nfe);
          expect(plan[0]!.c, what).toBe(0);
          for (const call of plan) {
            const { a, b, c, noiseBefore, noiseAfter } = call;
            expect(
              [a, b, c, noiseBefore, noiseAfter].every(Number.isFinite),
              `${what}, step ${call.step}`,
            ).toBe(true);
            // Clean data that the denoiser leaves alone are a fixed point.
            expectClose([a + b + c], [1], { what: `${what}, step ${call.step}, a + b + c` });
          }
        }
      }
    }
  });

  test("2M extrapolates with half the ratio of the steps in ln sigma", () => {
    const call = planDpmpp2m([16, 8, 2])[1]!; // h = ln 4, hPrevious = ln 2: w = 1
    expectClose([call.a, call.b, call.c], [0.25, 1.5, -0.75]);
  });

  test("ask for noise once a step at most, with the step's number, and never in the step to 0", async () => {
    for (const name of names) {
      const asked: number[] = [];
      const source = (step: number, out: Float64Array): void => {
        asked.push(step);
        noise(step, out);
      };
      await sample(name, curved, start, sigmas, { noise: source, eta: 1, churn: 5, churnMin: 0.05 });
      expect(asked, name).toEqual([...new Set(asked)]);
      expect(Math.max(-1, ...asked), name).toBeLessThan(8);
    }
    expect(planDdpm([1, 0])[0]!.noiseAfter).toBe(0);
  });
});

describe("runPlan()", () => {
  test("leaves the start as it was, keeps the element type and works with a denoiser that reuses its buffer", async () => {
    for (const name of names) {
      const x = Float32Array.from(start);
      const buffer = new Float32Array(x.length);
      const reusing = (state: Float32Array, sigma: number): Float32Array => {
        for (let i = 0; i < buffer.length; i++) buffer[i] = Math.tanh(state[i]! / (1 + sigma * sigma));
        return buffer;
      };
      const got = await sample(name, reusing, x, sigmas, { noise: stepNoise(images) });
      expect(got, name).toBeInstanceOf(Float32Array);
      expect(x, name).toEqual(Float32Array.from(start));
      const want = await sample(name, curved, start, sigmas, { noise });
      expectClose(got, want, { atol: 1e-4, rtol: 0, what: `${name}, float32 against float64` });
    }
  });

  test("reports every step once, in order, with its level, state and prediction", async () => {
    const seen: StepReport<Float64Array>[] = [];
    const got = await sampleHeun(curved, start, sigmas, {
      onStep: (report) =>
        void seen.push({ ...report, x: report.x.slice(), denoised: report.denoised.slice() }),
    });
    expect(seen.map((report) => report.step)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
    expect(seen.map((report) => report.sigma)).toEqual(sigmas.slice(1));
    expectClose(seen.at(-1)!.x, got, { rtol: 0, atol: 0 });
    expectClose(seen.at(-1)!.denoised, got, { what: "the step to 0 ends at the prediction" });
  });

  test("an error thrown by onStep stops the run", async () => {
    let calls = 0;
    const counted: Denoiser<Float64Array> = (x, sigma) => (calls++, curved(x, sigma));
    const stop = (): void => {
      throw new Error("stop");
    };
    await expect(sampleEuler(counted, start, sigmas, { onStep: stop })).rejects.toThrow("stop");
    expect(calls).toBe(1);
  });
});

describe("noise", () => {
  test("image i depends on (seed, i) only, not on the batch it is made in, for every sampler", async () => {
    const size = 5;
    const denoise = gaussianDenoiser<Float64Array>({ mean: [0.2], variances: [0.5] });
    const make = async (name: string, first: number, count: number): Promise<Float64Array> => {
      const range = { seed: 5, first, count };
      const x = startNoise(range, sigmas[0]!, new Float64Array(count * size));
      return await sample(name, denoise, x, sigmas, { noise: stepNoise<Float64Array>(range), eta: 0.7 });
    };
    for (const name of names) {
      const whole = await make(name, 0, 6);
      const parts = [await make(name, 0, 1), await make(name, 1, 3), await make(name, 4, 2)];
      expectClose(
        parts.flatMap((part) => [...part]),
        whole,
        { rtol: 0, atol: 0, what: name },
      );
      expect(whole.slice(0, size), name).not.toEqual(whole.slice(size, 2 * size));
    }
  });

  test("the start has the asked standard deviation and the steps draw different noise", () => {
    const x = startNoise({ seed: 1, count: 10 }, 80, new Float32Array(20_000));
    const std = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length);
    expect(Math.abs(std / 80 - 1)).toBeLessThan(0.02); // 4 standard errors of 1 / sqrt(2 n)
    const [one, two] = [new Float64Array(4), new Float64Array(4)];
    stepNoise({ seed: 1, count: 1 })(0, one);
    stepNoise({ seed: 1, count: 1 })(1, two);
    expect(one).not.toEqual(two);
  });
});

describe("errors", () => {
  const rejection = async (run: () => Promise<unknown>): Promise<UserError> => {
    const error: unknown = await run().then(
      () => undefined,
      (reason: unknown) => reason,
    );
    expect(error).toBeInstanceOf(UserError);
    return error as UserError;
  };

  test("an unknown sampler is told with a suggestion", () => {
    expect(() => samplerNamed("huen")).toThrow('unknown sampler: "huen". Did you mean "heun"?');
    expect(() => samplerCost("toString", 4)).toThrow("unknown sampler");
  });

  test("a stochastic sampler without noise says how to give it", async () => {
    const error = await rejection(() => sampleDdpm(curved, start, sigmas));
    expect(error.code).toBe("diffusion/noise");
    expect(error.message).toContain("stepNoise");
  });

  test("levels that do not fall, are too few or not finite are refused with their place", async () => {
    for (const wrong of [[], [1], [1, 1], [1, 2, 0], [2, 1, -1], [Infinity, 1, 0], [2, Number.NaN, 0]]) {
      const error = await rejection(() => sampleHeun(curved, start, wrong));
      expect(error.code, JSON.stringify(wrong)).toBe("diffusion/sigmas");
    }
    expect((await rejection(() => sampleHeun(curved, start, [3, 1, 2]))).message).toContain(
      "level 1 is 1, then 2",
    );
  });

  test("eta outside [0, 1] and steps below 1 are refused", async () => {
    expect((await rejection(() => sampleDdim(curved, start, sigmas, { eta: 1.5 }))).code).toBe(
      "diffusion/eta",
    );
    expect(() => samplerCost("heun", 0)).toThrow("steps: 0; expected a positive integer");
    expect(() => schedules.ddpm().sigmas(1001)).toThrow("expected an integer in 1..1000");
  });

  test("an empty plan returns a copy of the start", async () => {
    const got = await runPlan([], atLevel(curved), start);
    expect(got).toEqual(start);
    expect(got).not.toBe(start);
  });

  test("tells a predictor both ends of each call: the mean velocity of dz/dt = z from t to r lands on z(0) = z(1) / e", async () => {
    const times = [1, 0.7, 0.2, 0];
    // z <- z - (t - r) u, u = (z(t) - z(r)) / (t - r) along the exact path.
    const plan = times.slice(1).map((r, step) => ({
      ...{ step, sigma: times[step]!, sigmaNext: r },
      ...{ a: 1, b: r - times[step]!, c: 0, noiseBefore: 0, noiseAfter: 0 },
    }));
    const end = await runPlan(
      plan,
      (z, { sigma: t, sigmaNext: r }) => z.map((value) => (value * (1 - Math.exp(r - t))) / (t - r)),
      Float64Array.of(1, -3),
    );
    expectClose(end, [1 / Math.E, -3 / Math.E], { rtol: 1e-12 });
  });
});

import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { gaussianDenoiser } from "./gaussian.testing.ts";
import {
  denoiserOf,
  edmFormulation,
  flowVelocityFormulation,
  formulationNamed,
  formulations,
  networkTarget,
  ouEpsilonFormulation,
  veScoreFormulation,
  vpEpsilonFormulation,
} from "./preconditioning.ts";
import { ddpmSchedule } from "./schedules/ddpm-discrete.ts";
import { vpCosineSchedule } from "./schedules/vp-cosine.ts";

const sigmas = [0.002, 0.1, 0.5, 1, 7, 80];
const random = rng(4, "preconditioning");
const x0 = random.fillNormal(new Float64Array(20_000)).map((value) => 0.5 * value);
const n = random.fillNormal(new Float64Array(20_000));
const variance = (x: Float64Array): number => x.reduce((sum, value) => sum + value * value, 0) / x.length;

describe("every formulation", () => {
  test("weighs the error of the network equally at all levels: cOut^2 lossWeight = 1", () => {
    for (const [name, make] of Object.entries(formulations)) {
      for (const sigma of sigmas) {
        const formulation = make();
        const { cOut } = formulation.coefficients(sigma);
        expectClose([cOut ** 2 * formulation.lossWeight(sigma)], [1], {
          rtol: 1e-12,
          what: `${name}, sigma ${sigma}`,
        });
      }
    }
  });

  test("a network that hits its target denoises perfectly", async () => {
    for (const [name, make] of Object.entries(formulations)) {
      for (const sigma of sigmas) {
        const formulation = make();
        const x = x0.map((value, i) => value + sigma * n[i]!);
        const target = networkTarget(formulation.coefficients(sigma), x0, x);
        const got = await denoiserOf<Float64Array>(formulation, () => target)(x, sigma);
        expectClose(got, x0, { rtol: 1e-9, atol: 1e-9, what: `${name}, sigma ${sigma}` });
      }
    }
  });

  test("gives the network the scaled state and the condition, and leaves the state as it was", async () => {
    for (const [name, make] of Object.entries(formulations)) {
      const formulation = make();
      const { cIn, cNoise } = formulation.coefficients(2);
      const x = new Float32Array([1, -3]);
      const told: number[] = [];
      const denoise = denoiserOf<Float32Array>(formulation, (xIn, condition) => {
        told.push(...xIn, condition);
        return xIn;
      });
      await denoise(x, 2);
      expectClose(told, [cIn, -3 * cIn, cNoise], { what: name });
      expect([...x], name).toEqual([1, -3]);
    }
  });

  test("an unknown name is told with a suggestion", () => {
    expect(() => formulationNamed("vp-epsilom")).toThrow(
      'unknown formulation: "vp-epsilom". Did you mean "vp-epsilon"?',
    );
  });
});

describe("edmFormulation()", () => {
  test("gives unit-variance inputs and targets at every level, and the least cOut (Karras et al. 2022, app. B.6)", () => {
    for (const sigmaData of [0.5, 1]) {
      for (const sigma of sigmas) {
        const what = `sigmaData ${sigmaData}, sigma ${sigma}`;
        const coefficients = edmFormulation({ sigmaData }).coefficients(sigma);
        const { cSkip, cOut, cIn } = coefficients;
        expectClose([cIn ** 2 * (sigma ** 2 + sigmaData ** 2)], [1], { rtol: 1e-12, what: `${what}, input` });
        const residual = (skip: number): number =>
          Math.sqrt((1 - skip) ** 2 * sigmaData ** 2 + skip ** 2 * sigma ** 2);
        expectClose([cOut], [residual(cSkip)], { rtol: 1e-12, atol: 0, what: `${what}, target` });
        expect(residual(cSkip), what).toBeLessThanOrEqual(
          Math.min(residual(cSkip - 1e-3), residual(cSkip + 1e-3)),
        );
      }
    }
  });

  test("has the measured unit variance on data of standard deviation 0.5", () => {
    for (const sigma of sigmas) {
      const coefficients = edmFormulation().coefficients(sigma);
      const x = x0.map((value, i) => value + sigma * n[i]!);
      const got = [coefficients.cIn ** 2 * variance(x), variance(networkTarget(coefficients, x0, x))];
      expectClose(got, [1, 1], { rtol: 0.05, what: `sigma ${sigma}` }); // 5 standard errors of sqrt(2 / 20000)
    }
  });

  test("with a zero network is the ideal denoiser of N(0, sigmaData^2)", async () => {
    for (const sigma of sigmas) {
      const zero = denoiserOf<Float64Array>(edmFormulation({ sigmaData: 0.7 }), (x) => x.map(() => 0));
      const x = n.subarray(0, 50);
      const want = await gaussianDenoiser<Float64Array>({ mean: [0], variances: [0.49] })(x, sigma);
      expectClose(await zero(x, sigma), want, { what: `sigma ${sigma}` });
    }
  });
});

describe("what the networks predict", () => {
  test("vp-epsilon, ou-epsilon: the noise; flow-velocity: noise less data; ve-score: minus the noise", () => {
    for (const sigma of sigmas) {
      const x = x0.map((value, i) => value + sigma * n[i]!);
      const epsilon = networkTarget(vpEpsilonFormulation().coefficients(sigma), x0, x);
      expectClose(epsilon, n, { rtol: 1e-9, atol: 1e-9, what: `vp-epsilon, sigma ${sigma}` });
      const epsilonOu = networkTarget(ouEpsilonFormulation().coefficients(sigma), x0, x);
      expectClose(epsilonOu, n, { rtol: 1e-9, atol: 1e-9, what: `ou-epsilon, sigma ${sigma}` });
      const velocity = networkTarget(flowVelocityFormulation().coefficients(sigma), x0, x);
      expectClose(
        velocity,
        n.map((value, i) => value - x0[i]!),
        { rtol: 1e-9, atol: 1e-9, what: `flow-velocity, sigma ${sigma}` },
      );
      const score = networkTarget(veScoreFormulation().coefficients(sigma), x0, x);
      expectClose(
        score,
        n.map((value) => -value),
        { rtol: 1e-9, atol: 1e-9, what: `ve-score, sigma ${sigma}` },
      );
    }
  });

  test("flow-velocity sees (1 - t) x0 + t n and is told 1000 t; ou-epsilon sees exp(-t) x0 + ... and is told 200 t", () => {
    for (const t of [0.001, 0.3, 0.9]) {
      const flow = flowVelocityFormulation().coefficients(t / (1 - t));
      const level = t / (1 - t);
      expectClose([flow.cIn, flow.cIn * level, flow.cNoise], [1 - t, t, 1000 * t], { what: `flow, t ${t}` });
      const sigma = Math.sqrt(Math.exp(2 * t) - 1);
      for (const timeMax of [5, 2]) {
        const { cIn, cNoise } = ouEpsilonFormulation({ timeMax }).coefficients(sigma);
        const seen = [cIn, cIn * sigma, cNoise];
        const want = [Math.exp(-t), Math.sqrt(1 - Math.exp(-2 * t)), 200 * t];
        expectClose(seen, want, { rtol: 1e-9, what: `ou, t ${t}, timeMax ${timeMax}` });
        const share = ouEpsilonFormulation({ timeMax, timeScale: 1 }).coefficients(sigma).cNoise;
        expectClose([share], [t / timeMax], { rtol: 1e-9, what: `told as a share of T, t ${t}` });
      }
    }
  });

  test("vp-epsilon tells a discrete network its integer timestep", () => {
    const schedule = ddpmSchedule();
    const formulation = vpEpsilonFormulation({ schedule });
    for (const t of [0, 250, 999])
      expectClose([formulation.coefficients(schedule.levels[t]!).cNoise], [t], { what: `t ${t}` });
  });
});

describe("trainingSigma()", () => {
  const draws = (formulation: { trainingSigma(r: typeof random): number }): Float64Array =>
    Float64Array.from({ length: 20_000 }, () => formulation.trainingSigma(random)).sort();

  test("edm: ln sigma is normal with mean -1.2 and standard deviation 1.2", () => {
    const logs = draws(edmFormulation()).map(Math.log);
    const mean = logs.reduce((a, b) => a + b) / logs.length;
    // 4 standard errors
    expectClose([mean], [-1.2], { atol: 0.034, rtol: 0 });
    expectClose([Math.sqrt(variance(logs.map((value) => value - mean)))], [1.2], { atol: 0.024, rtol: 0 });
  });

  test("flow-velocity: time is uniform up to 0.999; ou-epsilon: the square root of time is uniform up to 5", () => {
    const quantiles = [0.1, 0.5, 0.9];
    const at = (sorted: Float64Array): number[] => quantiles.map((q) => sorted[q * 20_000]!);
    // 4 standard errors of a quantile.
    expectClose(
      at(draws(flowVelocityFormulation()).map((sigma) => sigma / (1 + sigma))),
      quantiles.map((q) => 0.999 * q),
      { atol: 0.015, rtol: 0 },
    );
    expectClose(
      at(draws(ouEpsilonFormulation()).map((sigma) => Math.sqrt(Math.log1p(sigma * sigma) / 10))),
      quantiles,
      { atol: 0.015, rtol: 0 },
    );
  });

  test("ve-score: ln sigma is uniform; vp-epsilon: time is uniform, within the schedule's range", () => {
    const schedule = vpCosineSchedule();
    const quantiles = [0.1, 0.5, 0.9];
    const at = (sorted: Float64Array): number[] => quantiles.map((q) => sorted[q * 20_000]!);
    expectClose(
      at(draws(veScoreFormulation())).map(Math.log),
      quantiles.map((q) => Math.log(0.01) + q * Math.log(5000)),
      { atol: 0.13, rtol: 0 },
    );
    expectClose(
      at(draws(vpEpsilonFormulation({ schedule }))).map(schedule.time),
      quantiles.map((q) => 0.9946 * q),
      { atol: 0.015, rtol: 0 },
    );
  });
});

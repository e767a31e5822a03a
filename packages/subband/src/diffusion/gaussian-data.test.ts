import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import type { Denoiser } from "./denoiser.ts";
import { type Gaussian, gaussianDenoiser } from "./gaussian.testing.ts";
import {
  denoiserOf,
  edmFormulation,
  flowVelocityFormulation,
  type Formulation,
  ouEpsilonFormulation,
  veScoreFormulation,
  vpEpsilonFormulation,
} from "./preconditioning.ts";
import { linearPlan, sample, samplers, type SamplerName, type SamplerSettings } from "./samplers/samplers.ts";
import { edmSchedule } from "./schedules/edm.ts";
import { flowSchedule } from "./schedules/flow.ts";
import { ornsteinUhlenbeckSchedule } from "./schedules/ornstein-uhlenbeck.ts";
import type { Schedule } from "./schedules/schedule.ts";
import { veGeometricSchedule } from "./schedules/ve-geometric.ts";
import { vpLinearSchedule } from "./schedules/vp-linear.ts";

/** Pixels on a ring. */
const D = 12;
/** Power of a stationary field at frequency k, falling as in images, with mean power 1. */
const power = (k: number): number => 1 / (0.2 + k * k);
const frequencies = Array.from({ length: D }, (_, i) => Math.ceil(i / 2)); // 0, 1, 1, ..., 5, 5, 6
const total = frequencies.reduce((sum, k) => sum + power(k), 0);
const spectrum = frequencies.map((k) => (D * power(k)) / total);
/** Cosines and sines of each frequency, orthonormal, one a row. */
const fourier = Float64Array.from({ length: D * D }, (_, at) => {
  const [i, x] = [Math.floor(at / D), at % D];
  const phase = (2 * Math.PI * frequencies[i]! * x) / D;
  const norm = Math.sqrt((i === 0 || i === D - 1 ? 1 : 2) / D);
  return norm * (i % 2 === 1 ? Math.cos(phase) : i === 0 ? 1 : Math.sin(phase));
});
const field: Gaussian = { mean: new Float64Array(D), variances: spectrum, basis: fourier };

/** Q diag(values) Q' for the Fourier basis Q. */
function circulant(values: readonly number[]): Float64Array {
  return Float64Array.from({ length: D * D }, (_, at) => {
    const [x, y] = [Math.floor(at / D), at % D];
    return values.reduce((sum, v, i) => sum + v * fourier[i * D + x]! * fourier[i * D + y]!, 0);
  });
}

/**
 * The exact covariance of what a sampler draws with a linear denoiser, from N(0, start^2 I): the sum of the squares of its
 * responses to a unit in every pixel of the start and of every step's noise, all run as one batch.
 */
async function sampledCovariance(
  denoise: Denoiser<Float64Array>,
  sampler: SamplerName,
  sigmas: readonly number[],
  start: number,
  settings: SamplerSettings = {},
): Promise<Float64Array> {
  const plan = linearPlan(sampler, sigmas, settings);
  const steps = sigmas.length - 1;
  const isNoisy = plan.some(({ noiseBefore, noiseAfter }) => noiseBefore > 0 || noiseAfter > 0);
  const x = new Float64Array(D * D * (isNoisy ? steps + 1 : 1));
  for (let j = 0; j < D; j++) x[j * D + j] = start;
  const noise = (step: number, out: Float64Array): void => {
    out.fill(0);
    for (let j = 0; j < D; j++) out[(step + 1) * D * D + j * D + j] = 1;
  };
  const out = await sample(sampler, denoise, x, sigmas, { ...settings, noise });
  const covariance = new Float64Array(D * D);
  for (let from = 0; from < out.length; from += D)
    for (let i = 0; i < D; i++)
      for (let j = 0; j < D; j++) covariance[i * D + j]! += out[from + i]! * out[from + j]!;
  return covariance;
}

/** Largest distance of the eigenvalues of a circulant covariance from the spectrum, relative to them. */
function spectrumError(covariance: Float64Array): number {
  const errors = spectrum.map((v, i) => {
    let along = 0;
    for (let x = 0; x < D; x++)
      for (let y = 0; y < D; y++) along += fourier[i * D + x]! * covariance[x * D + y]! * fourier[i * D + y]!;
    return Math.abs(along / v - 1);
  });
  return Math.max(...errors);
}

describe("WSGM's chain on a Gaussian field with its exact score", () => {
  /**
   * The variance along an eigenvector of data variance v, from the published update (Ho et al. 2020, algorithm 2):
   * y' = (y - beta / sqrt(1 - abar) eps) / sqrt(1 - beta) + sqrt(beta) n, beta = 1 - exp(-2 (t_k - t_(k-1))), where the
   * best eps is sqrt(1 - abar) / (v abar + 1 - abar) y; no noise in the last step, and y_N = n.
   */
  function chainVariance(v: number, times: readonly number[]): number {
    let variance = 1;
    for (let k = times.length - 1; k > 0; k--) {
      const beta = 1 - Math.exp(-2 * (times[k]! - times[k - 1]!));
      const abar = Math.exp(-2 * times[k]!);
      const gain = (1 - beta / (v * abar + 1 - abar)) / Math.sqrt(1 - beta);
      variance = gain * gain * variance + (k > 1 ? beta : 0);
    }
    return variance;
  }
  const timesOf = (spacing: "uniform" | "quadratic", steps: number): number[] =>
    Array.from({ length: steps + 1 }, (_, k) => 5 * (k / steps) ** (spacing === "uniform" ? 1 : 2));

  for (const spacing of ["uniform", "quadratic"] as const) {
    const schedule = ornsteinUhlenbeckSchedule({ spacing });
    const sampled = (steps: number) => {
      const sigmas = schedule.sigmas(steps);
      return sampledCovariance(gaussianDenoiser(field), "ddpm", sigmas, Math.hypot(1, sigmas[0]!), {
        variance: "beta",
      });
    };

    test(`${spacing} times: the covariance of the samples is that of the chain at every number of steps`, async () => {
      for (const steps of [1, 2, 3, 8, 32]) {
        const want = circulant(spectrum.map((v) => chainVariance(v, timesOf(spacing, steps))));
        expectClose(await sampled(steps), want, { rtol: 1e-8, atol: 1e-10, what: `${steps} steps` });
      }
    });

    test(`${spacing} times: it converges to the covariance of the data at order 1`, async () => {
      const error = (steps: number): number =>
        Math.max(...spectrum.map((v) => Math.abs(chainVariance(v, timesOf(spacing, steps)) / v - 1)));
      for (const steps of [2048, 8192])
        expectClose([Math.log2(error(steps) / error(2 * steps))], [1], {
          atol: 0.05,
          rtol: 0,
          what: `${steps} steps`,
        });
      expectClose([spectrumError(await sampled(64))], [error(64)], { rtol: 1e-6 });
    });
  }
});

/** A formulation with the noise levels it is sampled down, and the network that is best for data of variance v. */
interface Process {
  readonly formulation: Formulation;
  readonly schedule: Schedule;
  /** Factor of the network's input in its output, from what it is told. */
  best(v: number, told: number): number;
}

/** The networks know z and what they are told, and predict what their papers say: E[n | z], E[n - x0 | z], and so on. */
const noiseOf = (v: number, abar: number): number => Math.sqrt(1 - abar) / (v * abar + 1 - abar);
const PROCESSES: Readonly<Record<string, Process>> = {
  edm: {
    formulation: edmFormulation(),
    schedule: edmSchedule(),
    best(v, told) {
      const sigma = Math.exp(4 * told);
      const [data, noisy] = [0.25, sigma ** 2 + 0.25]; // of sigmaData 0.5
      // z = x / sqrt(noisy); the target is (x0 - data / noisy x) sqrt(noisy) / (sigma sqrt(data)).
      return ((v / (v + sigma ** 2) - data / noisy) * noisy) / (sigma * Math.sqrt(data));
    },
  },
  vp: {
    formulation: vpEpsilonFormulation(),
    schedule: vpLinearSchedule(),
    best(v, told) {
      const t = told / 999;
      return noiseOf(v, Math.exp(-(0.1 * t + 9.95 * t * t)));
    },
  },
  ou: {
    formulation: ouEpsilonFormulation(),
    schedule: ornsteinUhlenbeckSchedule({ spacing: "quadratic" }),
    best: (v, told) => noiseOf(v, Math.exp((-2 * told) / 200)),
  },
  ve: {
    formulation: veScoreFormulation(),
    schedule: veGeometricSchedule(),
    best(v, told) {
      const sigma = 2 * Math.exp(told);
      return -sigma / (v + sigma ** 2);
    },
  },
  flow: {
    formulation: flowVelocityFormulation(),
    schedule: flowSchedule(),
    best(v, told) {
      const t = told / 1000;
      return (t - (1 - t) * v) / ((1 - t) ** 2 * v + t ** 2);
    },
  },
};

describe("every formulation with the best network for Gaussian data", () => {
  // In the eigenvectors of the data: every element of the state is one of them by itself.
  const draw = async ({ formulation, schedule, best }: Process, name: SamplerName, steps: number) => {
    const denoise = denoiserOf<Float64Array>(formulation, (z, told) => {
      const gains = spectrum.map((v) => best(v, told));
      return z.map((value, i) => gains[i % D]! * value);
    });
    const sigmas = schedule.sigmas(steps);
    const settings: SamplerSettings = { churnNoise: 1 };
    const covariance = await sampledCovariance(denoise, name, sigmas, sigmas[0]!, settings);
    return Math.max(...spectrum.map((v, i) => Math.abs(covariance[i * D + i]! / v - 1)));
  };
  for (const [process, of] of Object.entries(PROCESSES))
    for (const { name, order } of Object.values(samplers))
      test(`${name} on ${process} draws the variances of the data`, async () => {
        const [coarse, fine] = [await draw(of, name, 64), await draw(of, name, 128)];
        const what = `errors ${coarse}, ${fine}`;
        expect(fine, what).toBeLessThan(order === 1 ? 0.2 : 0.07);
        // Below 2 % the error may change its sign, or be that of the last level before 0.
        expect(fine, what).toBeLessThan(Math.max(0.02, 0.65 * coarse));
      });
});

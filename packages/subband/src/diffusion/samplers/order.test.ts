import { expect, describe, test } from "vitest";
import { expectClose } from "onnxgrad/testing";
import { rng } from "onnxgrad";
import { gaussianDenoiser, gaussianFlow } from "../gaussian.testing.ts";
import { edmSchedule } from "../schedules/edm.ts";
import { flowSchedule } from "../schedules/flow.ts";
import { ornsteinUhlenbeckSchedule } from "../schedules/ornstein-uhlenbeck.ts";
import type { Schedule } from "../schedules/schedule.ts";
import { veGeometricSchedule } from "../schedules/ve-geometric.ts";
import { vpLinearSchedule } from "../schedules/vp-linear.ts";
import { linearPlan, sample, samplers, type SamplerName, type SamplerSettings } from "./samplers.ts";

/** Walks between levels that do not end in 0: the error at a fixed last level is that of the method alone. */
const FROM = 10;
const TO = 0.1;
const WALKS: readonly Schedule[] = [
  edmSchedule({ sigmaMin: TO, sigmaMax: FROM, rho: 3 }),
  vpLinearSchedule(),
  veGeometricSchedule(),
  ornsteinUhlenbeckSchedule({ spacing: "quadratic" }),
  flowSchedule(),
];
const levelsOf =
  ({ sigma, time }: Schedule) =>
  (steps: number): readonly number[] => {
    const [from, to] = [time(FROM), time(TO)];
    return Array.from({ length: steps + 1 }, (_, i) => sigma(from + (i / steps) * (to - from)));
  };
const STEPS = [48, 96, 192, 384];

/** Slope of ln error against ln (1 / steps), by least squares. */
function measuredOrder(errors: readonly number[]): number {
  const x = STEPS.map((steps) => -Math.log(steps));
  const y = errors.map(Math.log);
  const meanX = x.reduce((a, b) => a + b) / x.length;
  const meanY = y.reduce((a, b) => a + b) / y.length;
  const top = x.reduce((sum, value, i) => sum + (value - meanX) * (y[i]! - meanY), 0);
  return top / x.reduce((sum, value) => sum + (value - meanX) ** 2, 0);
}

const diagonal = { mean: [0.3, -1, 2], variances: [0.25, 2, 0.01] };
/** A rotation about (1, 1, 1): every pair of coordinates is correlated. */
const correlated = { ...diagonal, basis: [2, -1, 2, 2, 2, -1, -1, 2, 2].map((value) => value / 3) };

const rows = Object.values(samplers);

describe("deterministic samplers", () => {
  for (const [kind, gaussian] of Object.entries({ diagonal, correlated })) {
    for (const walk of WALKS)
      test.each(rows.filter(({ stochastic }) => !stochastic))(
        `$name on ${walk.name} converges to the exact path of a ${kind} Gaussian at its declared order`,
        async ({ name, order: declared }) => {
          const levels = levelsOf(walk);
          const x = rng(7, "order")
            .fillNormal(new Float64Array(12))
            .map((value) => FROM * value);
          const want = gaussianFlow(gaussian, x, FROM, TO);
          const errors: number[] = [];
          for (const steps of STEPS) {
            const got = await sample(name, gaussianDenoiser<Float64Array>(gaussian), x, levels(steps));
            errors.push(Math.max(...got.map((value, i) => Math.abs(value - want[i]!))));
          }
          const order = measuredOrder(errors);
          expect(Math.abs(order - declared), `${name}, ${walk.name}, ${kind}: order ${order}`).toBeLessThan(
            0.2,
          );
        },
      );
  }
});

/**
 * With an affine denoiser the final state is `base + gain x + sum_k noise_k n_k`. One batch measures all of it through
 * the real sampler: element 0 starts at 0 without noise, element 1 starts at 1, element 2 + k has noise 1 in step k.
 */
async function response(
  name: SamplerName,
  gaussian: { mean: number; variance: number },
  sigmas: readonly number[],
  settings: SamplerSettings,
): Promise<{ base: number; gain: number; noiseVariance: number }> {
  const x = new Float64Array(sigmas.length + 1);
  x[1] = 1;
  const denoise = gaussianDenoiser<Float64Array>({ mean: [gaussian.mean], variances: [gaussian.variance] });
  const noise = (step: number, out: Float64Array): void => {
    out.fill(0)[step + 2] = 1;
  };
  const out = await sample(name, denoise, x, sigmas, { ...settings, noise });
  const base = out[0]!;
  return {
    base,
    gain: out[1]! - base,
    noiseVariance: out.slice(2).reduce((sum, v) => sum + (v - base) ** 2, 0),
  };
}

describe("stochastic samplers", () => {
  /** What to draw noise with, beside the default of those that draw some. */
  const settingsOf: Partial<Record<SamplerName, readonly SamplerSettings[]>> = {
    ddpm: [{}, { variance: "beta" }],
    ddim: [{ eta: 0.5 }, { eta: 1 }],
    "reverse-sde": [{ process: "ve" }, { process: "vp" }],
    // Churn below the cap at every count, and of the exact size.
    edm: [{ churn: 8, churnMin: 0, churnMax: 100, churnNoise: 1 }],
  };
  const mean = 0.7;
  for (const { name, order: declared, stochastic } of rows)
    for (const settings of settingsOf[name] ?? (stochastic ? [{}] : []))
      for (const walk of WALKS)
        for (const variance of [0.25, 2]) {
          const what = `${name} ${JSON.stringify(settings)} on ${walk.name}, variance ${variance}`;
          const levels = levelsOf(walk);
          test(`${what}: mean and variance converge to the exact ones at weak order ${declared}`, async () => {
            const errors: number[] = [];
            for (const steps of STEPS) {
              const { base, gain, noiseVariance } = await response(
                name,
                { mean, variance },
                levels(steps),
                settings,
              );
              const gotMean = base + gain * mean;
              const gotVariance = gain ** 2 * (variance + FROM ** 2) + noiseVariance;
              if (settings.process !== "vp")
                expectClose([gotMean], [mean], { what: `${what}, ${steps} steps, mean` });
              errors.push(Math.hypot(gotMean - mean, gotVariance - variance - TO ** 2));
            }
            const order = measuredOrder(errors);
            expect(
              Math.abs(order - declared),
              `${what}: weak order ${order}, errors ${errors.join(", ")}`,
            ).toBeLessThan(0.2);
          });
        }

  const levels = levelsOf(WALKS[0]!);

  test("ancestral and reverse-SDE sampling forget the start exactly as the reverse diffusion does", async () => {
    // E[x(TO) | x(FROM) = x] = mean + (v + TO^2) / (v + FROM^2) (x - mean), the regression of a random walk on its end.
    for (const name of ["ddpm", "reverse-sde"] as const) {
      for (const steps of STEPS) {
        const { gain } = await response(name, { mean, variance: 2 }, levels(steps), {});
        expectClose([gain], [(2 + TO ** 2) / (2 + FROM ** 2)], {
          rtol: 1e-9,
          what: `${name}, ${steps} steps`,
        });
      }
    }
  });

  test("many samples have the exact mean and covariance within their standard error", async () => {
    const { mean: centre, variances, basis } = correlated;
    const count = 4000;
    // x = mean + sum_e sqrt(v_e) n_e q_e, for standard normal n.
    const draw = (normal: ArrayLike<number>, extra: number): Float64Array =>
      Float64Array.from(normal, (_, at) => {
        const j = at % 3;
        const along = (e: number): number =>
          Math.sqrt(variances[e]! + extra) * normal[at - j + e]! * basis[3 * e + j]!;
        return centre[j]! + along(0) + along(1) + along(2);
      });
    const covariance = (j: number, k: number): number =>
      variances.reduce((sum, v, e) => sum + v * basis[3 * e + j]! * basis[3 * e + k]!, 0);
    for (const name of ["ddpm", "edm", "reverse-sde"] as const) {
      const random = rng(3, `moments-${name}`);
      const start = draw(random.fillNormal(new Float64Array(3 * count)), FROM ** 2);
      const settings = {
        churn: 8,
        churnNoise: 1,
        noise: (_: number, out: Float64Array) => void random.fillNormal(out),
      };
      const got = await sample(
        name,
        gaussianDenoiser<Float64Array>(correlated),
        start,
        [...levels(160), 0],
        settings,
      );
      const average = (f: (i: number) => number): number =>
        Array.from({ length: count }, (_, i) => f(3 * i)).reduce((a, b) => a + b) / count;
      for (let j = 0; j < 3; j++) {
        const away = (i: number, k: number): number => got[i + k]! - centre[k]!;
        const standardError = Math.sqrt(covariance(j, j) / count);
        expectClose([average((i) => away(i, j))], [0], {
          atol: 4 * standardError,
          what: `${name}, mean ${j}`,
        });
        for (let k = 0; k <= j; k++) {
          // 4 standard errors, and 2 % of bias from 160 steps.
          const size = Math.sqrt(covariance(j, j) * covariance(k, k));
          const atol = 4 * Math.sqrt((size ** 2 + covariance(j, k) ** 2) / count) + 0.02 * size;
          const product = average((i) => away(i, j) * away(i, k));
          expectClose([product], [covariance(j, k)], {
            atol,
            rtol: 0,
            what: `${name}, covariance ${j},${k}`,
          });
        }
      }
    }
  });
});

describe("samplers at few steps", () => {
  test("every sampler is exact for one data point: the step to 0 returns it", async () => {
    const point = { mean: [0.5, -2], variances: [0, 0] };
    for (const name of Object.keys(samplers)) {
      for (const steps of [1, 2, 5]) {
        const sigmas = edmSchedule().sigmas(steps);
        const noise = (_: number, out: Float64Array): void => void out.fill(1);
        const got = await sample(
          name,
          gaussianDenoiser<Float64Array>(point),
          new Float64Array([80, -40]),
          sigmas,
          { noise },
        );
        expectClose(got, point.mean, { what: `${name}, ${steps} steps` });
        expect(linearPlan(name, sigmas).length, `${name}, ${steps} steps`).toBe(
          samplers[name as SamplerName].nfe(steps),
        );
      }
    }
  });
});

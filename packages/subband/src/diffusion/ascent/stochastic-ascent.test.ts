import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { startNoise, stepNoise } from "../noise.ts";
import { lowRankResidual, pointMassResidual } from "./exact-residuals.testing.ts";
import { type AscentReport, type AscentSettings, stochasticAscent } from "./stochastic-ascent.ts";
import { injectedNoise, stepSize } from "./step-size.ts";

const D = 64;
/** Three smooth directions: cosines of the orthonormal DCT. */
const basis = [0, 1, 2].flatMap((k) =>
  Array.from(
    { length: D },
    (_, j) => Math.sqrt((k === 0 ? 1 : 2) / D) * Math.cos((Math.PI * k * (j + 0.5)) / D),
  ),
);
const prior = {
  mean: Array.from({ length: D }, (_, j) => 0.1 * Math.sin(j)),
  variances: [2, 0.5, 0.02],
  basis,
};
const residual = lowRankResidual<Float32Array>(prior);

/** Samples' coordinates along each direction of the prior, about its mean. */
function coordinates(x: Float32Array): number[][] {
  return prior.variances.map((_, k) =>
    Array.from({ length: x.length / D }, (_unused, i) => {
      let sum = 0;
      for (let j = 0; j < D; j++) sum += basis[k * D + j]! * (x[i * D + j]! - prior.mean[j]!);
      return sum;
    }),
  );
}

const average = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0) / values.length;
const varianceOf = (values: readonly number[]): number => {
  const mean = average(values);
  return values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (values.length - 1);
};

/**
 * Mean and variance of one coordinate, exactly: the update is affine in it, `a' = (1 - h s^2 / (v + s^2)) a + gamma s z`,
 * with s the level of the noise, which shrinks by 1 - beta h.
 */
function predicted(
  v: number,
  start: number,
  settings: { beta: number; h0: number; sigma0: number; rising?: boolean },
): { readonly mean: number; readonly variance: number } {
  let [mean, variance, s] = [start, settings.sigma0 ** 2, settings.sigma0];
  for (let t = 1; s > 0.01; t++) {
    const h = stepSize(settings, t);
    const shrink = 1 - (h * s * s) / (v + s * s);
    mean *= shrink;
    variance = shrink ** 2 * variance + (injectedNoise(settings, h) * s) ** 2;
    s *= 1 - settings.beta * h;
  }
  const last = v / (v + s * s);
  return { mean: last * mean, variance: last ** 2 * variance };
}

async function draw(settings: AscentSettings, count: number): Promise<Float32Array> {
  const images = { seed: 3, count };
  const start = startNoise(images, settings.sigma0 ?? 1, new Float32Array(count * D));
  const { x, converged } = await stochasticAscent(residual, start, {
    ...settings,
    count,
    noise: stepNoise(images),
  });
  expect(converged.every(Boolean)).toBe(true);
  return x;
}

describe("stochasticAscent() on an idealised residual", () => {
  /** Noise of unit mean square, exactly orthogonal to the state: then the level contracts by exactly 1 - beta h. */
  async function run(settings: AscentSettings): Promise<{ steps: number; levels: number[] }> {
    const start = Float64Array.from(
      { length: 16 },
      (_, i) => (i % 2 === 0 ? 1 : -1) * (settings.sigma0 ?? 1),
    );
    const levels: number[] = [];
    const state = start.slice();
    const { iterations, x } = await stochasticAscent<Float64Array>((y) => (state.set(y), y.slice()), start, {
      ...settings,
      noise: (step, out) => {
        let dot = 0;
        let norm = 0;
        rng(step, "orthogonal").fillNormal(out);
        for (let i = 0; i < 16; i++) [dot, norm] = [dot + out[i]! * state[i]!, norm + state[i]! ** 2];
        for (let i = 0; i < 16; i++) out[i] = out[i]! - (dot / norm) * state[i]!;
        const scale = Math.sqrt(out.reduce((sum, value) => sum + value * value, 0) / 16);
        for (let i = 0; i < 16; i++) out[i] = out[i]! / scale;
      },
      onStep: ({ sigma }) => void levels.push(sigma),
    });
    expectClose(x, new Float64Array(16), { atol: 1e-15, what: "the data are 0" });
    return { steps: iterations[0]!, levels };
  }

  test("takes the published steps from 1 to 0.01 with h0 = 0.01, rising or fixed", async () => {
    for (const [beta, rising, fixed] of [
      [1, 32, 459],
      [0.5, 47, 919],
      [0.1, 127, 4603],
      [0.05, 200, undefined],
      [0.01, 661, undefined],
    ] as const) {
      expect((await run({ beta })).steps, `beta ${beta}, rising`).toBe(rising);
      if (fixed !== undefined)
        expect((await run({ beta, rising: false })).steps, `beta ${beta}, fixed`).toBe(fixed);
    }
  });

  test("takes 46,050 fixed steps at beta 0.01", async () => {
    expect((await run({ beta: 0.01, rising: false })).steps).toBe(46_050);
  });

  test("shrinks the level by exactly 1 - beta h_t, so it falls monotonically", async () => {
    for (const beta of [1, 0.5, 0.1]) {
      for (const rising of [true, false]) {
        const { levels } = await run({ beta, rising, sigma0: 2, h0: 0.03 });
        let want = 2;
        const wanted = levels.map((_, i) => {
          const now = want;
          want *= 1 - beta * stepSize({ h0: 0.03, rising }, i + 1);
          return now;
        });
        expectClose(levels, wanted, { rtol: 1e-9, what: `beta ${beta}, rising ${rising}` });
      }
    }
  });
});

describe("stochasticAscent() on a Gaussian", () => {
  // Tolerances: 4 standard errors of a mean and of a variance from COUNT samples, and 3 % because the level, read off
  // 61 values, walks about the one of the recursion.
  const COUNT = 600;

  test("draws the mean and variances that its affine recursion predicts, for every beta and h0", async () => {
    for (const settings of [
      { beta: 0.1, h0: 0.01, sigma0: 1 },
      { beta: 0.5, h0: 0.01, sigma0: 1 },
      { beta: 1, h0: 0.01, sigma0: 1 },
      { beta: 0.3, h0: 0.1, sigma0: 2 },
    ]) {
      const x = await draw(settings, COUNT);
      coordinates(x).forEach((values, k) => {
        const v = prior.variances[k]!;
        let start = 0;
        for (let j = 0; j < D; j++) start -= basis[k * D + j]! * prior.mean[j]!;
        const want = predicted(v, start, settings);
        const what = `${JSON.stringify(settings)}, variance ${v}`;
        expectClose([average(values)], [want.mean], {
          rtol: 0.03,
          atol: 4 * Math.sqrt(want.variance / COUNT),
          what: `mean, ${what}`,
        });
        expectClose([varianceOf(values)], [want.variance], {
          rtol: 4 * Math.sqrt(2 / COUNT) + 0.03,
          atol: 0,
          what: `variance, ${what}`,
        });
      });
    }
  });

  test("draws the prior itself, but for the stated bias, with fixed steps from a large sigma0", async () => {
    const x = await draw({ beta: 0.3, h0: 0.1, rising: false, sigma0: 4 }, COUNT);
    coordinates(x).forEach((values, k) => {
      const v = prior.variances[k]!;
      const what = `variance ${v}`;
      expectClose([average(values)], [0], { atol: 4 * Math.sqrt(v / COUNT) + 0.02, what: `mean, ${what}` });
      const rtol = 4 * Math.sqrt(2 / COUNT) + 0.05; // h / 2 is missing
      expectClose([varianceOf(values)], [v], { rtol, what: `variance, ${what}` });
    });
  });

  test("loses the stated share of variance: (2 - h) / (2 - h r) is left in the limit of small beta", () => {
    for (const h0 of [0.01, 0.1, 0.5])
      for (const v of [2, 0.5, 0.02]) {
        const { variance } = predicted(v, 0, { beta: 1e-3, h0, sigma0: 4, rising: false });
        expectClose([variance / v], [(2 - h0) / 2], { rtol: 0.01, what: `h ${h0}, variance ${v}` });
      }
  });

  test("keeps the stated share of the error of the start: (v / (v + sigma0^2))^(1 / (2 beta))", () => {
    for (const beta of [0.1, 0.5, 1])
      for (const v of [36, 2, 0.5]) {
        const { mean } = predicted(v, 1, { beta, h0: 1e-3, sigma0: 1, rising: false });
        expectClose([mean], [(v / (v + 1)) ** (1 / (2 * beta))], {
          rtol: 0.02,
          what: `beta ${beta}, variance ${v}`,
        });
      }
  });
});

describe("stochasticAscent() on point masses", () => {
  test("ends on the points, each as often as it is likely", async () => {
    const d = 24;
    const count = 600;
    const weights = [0.5, 0.3, 0.2];
    const points = weights.map((_, k) => rng(k, "points").fillNormal(new Float64Array(d)));
    const images = { seed: 8, count };
    const { x } = await stochasticAscent(
      pointMassResidual<Float32Array>(points, weights),
      startNoise(images, 4, new Float32Array(count * d)),
      { beta: 0.2, h0: 0.05, sigma0: 4, count, noise: stepNoise(images) },
    );
    const hits = weights.map(() => 0);
    for (let i = 0; i < count; i++) {
      const distances = points.map((point) =>
        Math.max(...point.map((value, j) => Math.abs(value - x[i * d + j]!))),
      );
      const nearest = distances.indexOf(Math.min(...distances));
      expect(distances[nearest], `image ${i}`).toBeLessThan(1e-4);
      hits[nearest]!++;
    }
    hits.forEach((hit, k) => {
      const error = Math.sqrt((weights[k]! * (1 - weights[k]!)) / count);
      expectClose([hit / count], [weights[k]!], { atol: 4 * error, rtol: 0, what: `point ${k}` });
    });
  });
});

describe("stochasticAscent()", () => {
  const small = async (first: number, count: number, more: AscentSettings = {}) => {
    const images = { seed: 5, first, count };
    const start = startNoise(images, 1, new Float32Array(count * D));
    return stochasticAscent(residual, start, { beta: 0.5, ...more, count, noise: stepNoise(images) });
  };

  test("makes an image that does not depend on its batch, though each stops for itself", async () => {
    const whole = await small(0, 6);
    const parts = [await small(0, 1), await small(1, 3), await small(4, 2)];
    expect(new Set(whole.iterations).size).toBeGreaterThan(1);
    expect(parts.flatMap((part) => part.iterations)).toEqual(whole.iterations);
    expectClose(
      parts.flatMap((part) => [...part.x]),
      whole.x,
      { rtol: 0, atol: 0 },
    );
  });

  test("with beta 1 is deterministic and needs no noise; one step of size 1 is the denoiser twice", async () => {
    const start = rng(1, "start").fillNormal(new Float64Array(D));
    const f = lowRankResidual<Float64Array>(prior);
    const once = await stochasticAscent(f, start, { beta: 1, h0: 1 });
    const denoised = start.map((value, i) => value - (f(start) as Float64Array)[i]!);
    expectClose(once.x, denoised, { atol: 1e-9 });
    expect(once.iterations).toEqual([1]);
    expect((await stochasticAscent(f, start, { beta: 1 })).x).toEqual(
      (await stochasticAscent(f, start, { beta: 1 })).x,
    );
  });

  test("stops relative to the contrast of the image, as the released code does", async () => {
    const absolute = await small(0, 4, { sigmaInf: 0.05 });
    const relative = await small(0, 4, { sigmaInf: 0.05, stop: "relative" });
    relative.x.forEach((value) => expect(Number.isFinite(value)).toBe(true));
    for (let i = 0; i < 4; i++) {
      const values = [...relative.x.subarray(i * D, (i + 1) * D)];
      // The denoised end lacks the noise of y: sigma^2 more than its variance.
      const contrast = Math.sqrt(varianceOf(values) + relative.sigmas[i]! ** 2);
      expect(relative.sigmas[i]! / contrast, `image ${i}`).toBeLessThan(0.05 * 1.01);
      expect(absolute.sigmas[i], `image ${i}`).toBeLessThanOrEqual(0.05);
      expect(relative.iterations[i], `image ${i}`).toBeGreaterThan(absolute.iterations[i]!);
    }
  });

  test("gives up at maxSteps, says so, and still denoises", async () => {
    const { x, iterations, converged } = await small(0, 2, { maxSteps: 5 });
    expect(iterations).toEqual([5, 5]);
    expect(converged).toEqual([false, false]);
    expect(x.every(Number.isFinite)).toBe(true);
  });

  test("reports every step, and an error thrown from the report stops the run", async () => {
    const seen: AscentReport[] = [];
    const start = startNoise({ seed: 1, count: 2 }, 1, new Float32Array(2 * D));
    const run = (onStep: (report: AscentReport) => void): Promise<unknown> =>
      stochasticAscent(residual, start, { beta: 1, count: 2, onStep });
    await run((report) => void seen.push(report));
    expect(seen.map((report) => report.iteration)).toEqual(seen.map((_, i) => i + 1));
    expect(seen[0]!.running).toBe(2);
    expect(seen.at(-1)!.sigma).toBeLessThan(0.02);
    const stop = (): void => {
      throw new Error("stop");
    };
    await expect(run(stop)).rejects.toThrow("stop");
  });

  test("tells a run that diverges, and settings out of range, in one line", async () => {
    const start = new Float32Array(D).fill(1);
    const codeOf = async (run: Promise<unknown>): Promise<string> => {
      const error: unknown = await run.then(
        () => undefined,
        (reason: unknown) => reason,
      );
      expect(error).toBeInstanceOf(UserError);
      expect((error as UserError).message).not.toContain("\n");
      return (error as UserError).code;
    };
    // A residual of the wrong sign drives the state away.
    const away = (y: Float32Array): Float32Array => y.map((value) => -value);
    expect(await codeOf(stochasticAscent(away, start, { beta: 1 }))).toBe("diffusion/diverged");
    const broken = (y: Float32Array): Float32Array => y.map(() => Number.NaN);
    expect(await codeOf(stochasticAscent(broken, start, { beta: 1 }))).toBe("diffusion/diverged");
    expect(await codeOf(stochasticAscent(residual, start, {}))).toBe("diffusion/noise");
    for (const wrong of [
      { h0: 0 },
      { h0: 1.1 },
      { beta: 0 },
      { beta: -1 },
      { sigma0: 0 },
      { sigmaInf: 0 },
      { sigmaInf: Number.NaN },
      { divergence: 1 },
      { maxSteps: 0 },
      { count: 5 },
    ])
      expect(
        await codeOf(stochasticAscent(residual, start, { beta: 1, ...wrong })),
        JSON.stringify(wrong),
      ).toBe("diffusion/ascent");
    const unknown = { beta: 1, stop: "relativ" as "relative" };
    expect(await codeOf(stochasticAscent(residual, start, unknown))).toBe("unknown/stop-rule");
  });
});

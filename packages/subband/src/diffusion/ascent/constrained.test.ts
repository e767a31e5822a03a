import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { blockAverages } from "../measurements/block-averages.ts";
import { blurMeasurement } from "../measurements/blur.ts";
import { lowFrequencies } from "../measurements/frequencies.ts";
import type { LinearMeasurement } from "../measurements/measurement.ts";
import { inpainting, randomPixels } from "../measurements/pixels.ts";
import { randomRows } from "../measurements/random-rows.ts";
import { sampleMoments } from "../sample-moments.ts";
import { constrainedResidual, sampleConstrained } from "./constrained.ts";
import { lowRankResidual } from "./exact-residuals.testing.ts";

/** Images of 12 x 15 in the span of six smooth waves about a mean. */
const [HEIGHT, WIDTH] = [12, 15];
const extents = [1, HEIGHT, WIDTH] as const;
const D = HEIGHT * WIDTH;
const variances = [4, 2, 1, 0.5, 0.3, 0.2];
const cosine = (k: number, n: number, i: number): number =>
  Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * k * (i + 0.5)) / n);
const waves = [
  [0, 0],
  [0, 1],
  [1, 0],
  [1, 1],
  [0, 2],
  [2, 0],
].map(([k, l]) =>
  Float64Array.from(
    { length: D },
    (_, i) => cosine(k!, HEIGHT, Math.floor(i / WIDTH)) * cosine(l!, WIDTH, i % WIDTH),
  ),
);
const mean = Float64Array.from({ length: D }, (_, j) => 0.4 + 0.1 * Math.sin(j));
const prior = { mean, variances, basis: waves.flatMap((wave) => [...wave]) };
const residual = lowRankResidual<Float32Array>(prior);

function drawImage(seed: number): Float32Array {
  const random = rng(seed, "truth");
  const image = Float32Array.from(mean);
  for (const [k, wave] of waves.entries()) {
    const along = Math.sqrt(variances[k]!) * random.normal();
    for (let j = 0; j < D; j++) image[j] = image[j]! + along * wave[j]!;
  }
  return image;
}

const hole = Uint8Array.from({ length: D }, (_, i) => {
  const [y, x] = [Math.floor(i / WIDTH), i % WIDTH];
  return y >= 4 && y < 8 && x >= 5 && x < 10 ? 0 : 1;
});
const kernel = { height: 3, width: 5, values: new Float64Array(15).fill(1) };
const measurements: Readonly<Record<string, LinearMeasurement>> = {
  inpainting: inpainting(extents, hole),
  "random pixels": randomPixels(extents, 0.2, 3),
  "block averages": blockAverages(extents, 4),
  "low frequencies": lowFrequencies(extents, 0.2),
  blur: blurMeasurement(extents, kernel),
  "random rows": randomRows(extents, 0.2, 3),
};

/** `A^-1 B` for square A, by Gauss-Jordan elimination; covariances need no pivoting. */
function solve(a: readonly number[][], b: readonly number[][]): number[][] {
  const rows = a.map((row, i) => [...row, ...b[i]!]);
  for (const [i, pivot] of rows.entries())
    for (const [r, row] of rows.entries())
      if (r !== i) {
        const factor = row[i]! / pivot[i]!;
        for (let c = i; c < row.length; c++) row[c] = row[c]! - factor * pivot[c]!;
      }
  return rows.map((row, i) => row.slice(a.length).map((value) => value / row[i]!));
}

/** Mean and standard deviation of each pixel given noisy measurements: the Gaussian posterior, along the waves. */
function posterior(measurement: LinearMeasurement, values: Float32Array, noise: number) {
  const rows = waves.map((wave) => measurement.measure(wave)); // one row a wave: M^T Q
  const expected = measurement.measure(mean);
  const indices = Array.from(values, (_, i) => i);
  const covariance = indices.map((i) =>
    indices.map((j) =>
      variances.reduce((sum, v, k) => sum + v * rows[k]![i]! * rows[k]![j]!, i === j ? noise ** 2 : 0),
    ),
  );
  const gains = solve(
    covariance,
    indices.map((i) => [values[i]! - expected[i]!, ...variances.map((v, k) => v * rows[k]![i]!)]),
  );
  const along = variances.map((v, k) =>
    indices.reduce((sum, i) => sum + v * rows[k]![i]! * gains[i]![0]!, 0),
  );
  const left = variances.map((v, k) =>
    variances.map((_, l) =>
      indices.reduce((sum, i) => sum - v * rows[k]![i]! * gains[i]![l + 1]!, k === l ? v : 0),
    ),
  );
  return {
    mean: mean.map((value, j) => along.reduce((sum, a, k) => sum + a * waves[k]![j]!, value)),
    std: mean.map((_, j) =>
      Math.sqrt(
        left.reduce(
          (sum, row, k) => sum + row.reduce((s, c, l) => s + c * waves[k]![j]! * waves[l]![j]!, 0),
          0,
        ),
      ),
    ),
  };
}

const rms = (a: Float32Array, b: Float32Array): number =>
  Math.sqrt(a.reduce((sum, value, i) => sum + (value - b[i]!) ** 2, 0) / a.length);

describe("constrainedResidual()", () => {
  test("is the published d = (I - M M^T) f + M M^T y - M m, for every measurement", async () => {
    for (const [what, measurement] of Object.entries(measurements)) {
      const y = rng(2, "state").fillNormal(new Float32Array(2 * D));
      const values = measurement.measure(drawImage(1));
      const got = await constrainedResidual(residual, { measurement, values })(y);
      const f = await residual(y);
      for (let image = 0; image < 2; image++) {
        const part = <T extends Float32Array>(x: T): Float32Array => x.subarray(image * D, (image + 1) * D);
        const fMeasured = measurement.project(part(f));
        const yMeasured = measurement.project(part(y));
        const aim = measurement.adjoint(values);
        const want = part(f).map((value, i) => value - fMeasured[i]! + yMeasured[i]! - aim[i]!);
        expectClose(part(got), want, { atol: 2e-6, what: `${what}, image ${image}` });
      }
    }
  });

  test("with noise of the data weighs their pull by sigma^2 / (sigma^2 + noise^2), value by value", async () => {
    const measurement = inpainting([1, 1, 4], [1, 1, 0, 1]);
    const f = (y: Float32Array): Float32Array => y.map(() => 0.5); // level 0.5, whatever y
    const values = new Float32Array([1, 2, 3]);
    const data = { measurement, values, noise: [0, 0.5, 1] };
    const got = await constrainedResidual(f, data)(new Float32Array(4));
    // The denoised image is -0.5 everywhere: the pull of value i is (-0.5 - m) times 1, 1/2, 1/5.
    expectClose(got, [0.5 - 1.5, 0.5 - 2.5 / 2, 0.5, 0.5 - 3.5 / 5]);
  });

  test("takes the data of one image or of each, and refuses what does not fit", async () => {
    const measurement = inpainting([1, 1, 4], [1, 1, 0, 1]);
    const none = (y: Float32Array): Float32Array => y.map(() => 0);
    const each = await constrainedResidual(none, {
      measurement,
      values: new Float32Array([1, 2, 3, 4, 5, 6]),
    })(new Float32Array(8));
    expect([...each]).toEqual([-1, -2, 0, -3, -4, -5, 0, -6]);
    const made = (values: number, noise: number | readonly number[]): unknown =>
      constrainedResidual(none, { measurement, values: new Float32Array(values), noise });
    for (const [values, noise] of [
      [0, 0],
      [4, 0],
      [3, -0.1],
      [3, Number.NaN],
      [3, [0, 0]],
      [3, [0, 0, Infinity]],
    ] as const)
      expect(() => made(values, noise), `${values} values, noise ${String(noise)}`).toThrow(UserError);
    const two = constrainedResidual(none, { measurement, values: new Float32Array(6) });
    await expect(two(new Float32Array(12))).rejects.toThrow("data of 2 images for 12 values");
    await expect(two(new Float32Array(7))).rejects.toThrow(UserError);
  });
});

describe("sampleConstrained()", () => {
  test("meets the data to 1e-5, which the published ending y - f(y) does not", async () => {
    for (const [what, measurement] of Object.entries(measurements)) {
      const values = measurement.measure(drawImage(5));
      let published = new Float32Array(D);
      const watched = async (y: Float32Array): Promise<Float32Array> => {
        const f = await residual(y);
        published = y.map((value, i) => value - f[i]!);
        return f;
      };
      const { x } = await sampleConstrained(
        watched,
        { measurement, values },
        { seed: 2, count: 1 },
        { beta: 0.3 },
      );
      expectClose(measurement.measure(x), values, { atol: 1e-5, rtol: 0, what });
      const miss = measurement.measure(published).map((value, k) => Math.abs(value - values[k]!));
      expect(Math.max(...miss), what).toBeGreaterThan(1e-4);
    }
  });

  test("recovers an image of few directions from a fifth of its values, or around a hole", async () => {
    for (const [what, measurement] of Object.entries(measurements)) {
      const truth = drawImage(9); // deviates from the mean by 0.18 a pixel
      const data = { measurement, values: measurement.measure(truth) };
      const { x, converged } = await sampleConstrained(residual, data, { seed: 1, count: 1 });
      expect(converged, what).toEqual([true]);
      expect(rms(x, truth), `${what}: error a pixel`).toBeLessThan(0.008); // the floor sigmaInf is 0.01
    }
  });

  test("draws the posterior: mean and deviation of every pixel, for exact and for noisy data", async () => {
    // Four means of 8 x 8 pixels or fewer leave some of the six directions open. Small fixed steps: rising ones lose variance.
    const measurement = blockAverages(extents, 8);
    const count = 100;
    for (const noise of [0, 0.5]) {
      const values = measurement.measure(drawImage(9));
      const want = posterior(measurement, values, noise);
      const moments = sampleMoments(D);
      const settings = { h0: 0.1, beta: 0.1, rising: false };
      const data = { measurement, values, noise };
      moments.add((await sampleConstrained(residual, data, { seed: 1, count }, settings)).x);
      const std = moments.std();
      moments.mean().forEach((value, j) => {
        const place = `noise ${noise}, pixel ${j}`;
        // 4.5 standard errors (180 pixels), and the sampler's own bias.
        const atol = (4.5 * want.std[j]!) / Math.sqrt(count) + 0.005;
        expectClose([value], [want.mean[j]!], { atol, rtol: 0, what: `mean, ${place}` });
        const rtol = 4.5 / Math.sqrt(2 * count) + 0.05;
        expectClose([std[j]!], [want.std[j]!], { rtol, atol: 0.002, what: `deviation, ${place}` });
      });
      const total = (x: ArrayLike<number>): number => Array.from(x).reduce((sum, s) => sum + s * s, 0);
      expectClose([total(std) / total(want.std)], [1], { atol: 0.2, what: `noise ${noise}, all variance` });
    }
  });

  test("a sample depends on (seed, index) only, and others of the same data differ", async () => {
    const measurement = blockAverages(extents, 8);
    const data = { measurement, values: measurement.measure(drawImage(9)) };
    const draw = async (first: number, count: number): Promise<Float32Array> =>
      (await sampleConstrained(residual, data, { seed: 4, first, count }, { beta: 0.5 })).x;
    const whole = await draw(0, 3);
    expectClose([...(await draw(0, 1)), ...(await draw(1, 2))], whole, { atol: 0, rtol: 0 });
    expect(rms(whole.subarray(0, D), whole.subarray(D, 2 * D))).toBeGreaterThan(0.02);
  });

  test("starts at the given level where nothing is measured, and at the data where it is", async () => {
    const measurement = inpainting([1, 1, 4], [1, 0, 0, 1]);
    const data = { measurement, values: new Float32Array([3, 4]) };
    const images = { seed: 1, count: 1 };
    const barely = { sigma0: 1e-3, sigmaInf: 1e-4, maxSteps: 1, divergence: 1e6 };
    for (const [settings, level] of [
      [barely, 0.5],
      [{ ...barely, startMean: 0.2 }, 0.2],
    ] as const) {
      const seen: Float32Array[] = [];
      const watched = (y: Float32Array): Float32Array => (seen.push(y.slice()), y.map(() => 0));
      await sampleConstrained(watched, data, images, settings);
      expectClose(seen[0]!, [3, level, level, 4], { atol: 5e-3, what: `level ${level}` });
    }
  });
});

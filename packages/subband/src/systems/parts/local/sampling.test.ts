import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { lowRankResidual } from "../../../diffusion/ascent/exact-residuals.ts";
import type { DetailScale } from "../../../diffusion/ascent/multi-scale.ts";
import { stepsBetween } from "../../../diffusion/ascent/step-size.ts";
import { initBandUnet } from "../../../nn/band-unet.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import { randomNetwork } from "../../../restoration/test-pictures.ts";
import { joinMeans, splitMeans } from "../../../wavelet/haar-means.ts";
import { planes } from "../../../wavelet/planes.ts";
import { localModel, unetModel } from "./model.ts";
import { compileLocalSampler, type LocalSampler } from "./sampler.ts";
import { type LocalSamplingRequest, sampleLocal } from "./sampling.ts";

const backend = node({ threads: 1 });
const dpm = { sampler: "dpmpp2m", steps: 6 } as const;
const fast = { ascent: { h0: 0.1, beta: 0.5, rising: true, sigmaInf: 0.01, stop: "absolute" } } as const;

/** A network of given kernels [outputs, inputs, k, k], without activations. */
function linear(
  ...weights: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[]
): BfCnnNetwork {
  const arrays = weights.map(({ shape, data }) => ({ shape, data: Float32Array.from(data) }));
  return { params: { weights: arrays, gains: [] }, statistics: { deviations: [] } };
}

/** Noise is what differs from the mean of 3 x 3. */
const smoothing = linear(
  { shape: [1, 1, 3, 3], data: Array.from({ length: 9 }, (_, i) => (i === 4 ? 8 / 9 : -1 / 9)) },
  { shape: [1, 1, 1, 1], data: [1] },
);
/** All details are noise. */
const silent = linear(
  { shape: [3, 4, 1, 1], data: [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1] },
  { shape: [3, 3, 1, 1], data: [1, 0, 0, 0, 1, 0, 0, 0, 1] },
);
const pyramid = localModel(smoothing, [silent, silent]);
const flat = localModel(smoothing, []);
const unet = unetModel(
  initBandUnet(rng(1, "sampling-test"), { channels: 1, widths: [4, 4], encoder: [1, 1], decoder: [1, 0] }),
);

async function draw(
  model: Parameters<typeof compileLocalSampler>[1],
  batch: number,
  request: Partial<LocalSamplingRequest>,
  size = { height: 16, width: 24 },
) {
  const sampler = await compileLocalSampler(backend, model, undefined, { batch, ...size });
  const found = await sampleLocal(sampler, { seed: 3, count: 3, low: dpm, ...request });
  await sampler.dispose();
  return found;
}

describe("sampleLocal()", () => {
  test("where all details are noise, the image is its low-pass band in blocks of 4 x 4", async () => {
    const { data, nfeLow, nfeDetail, converged } = await draw(pyramid, 2, {});
    expect(data.length).toBe(3 * 16 * 24);
    for (let i = 0; i < data.length; i++) {
      const [x, y, image] = [i % 24, Math.floor(i / 24) % 16, Math.floor(i / 384)];
      const corner = (image * 16 + y - (y % 4)) * 24 + x - (x % 4);
      expect(Math.abs(data[i]! - data[corner]!), `image ${image}, row ${y}, column ${x}`).toBeLessThan(1e-5);
    }
    expect([nfeLow, converged]).toEqual([6, true]);
    // From 1/4 to 0.01; the level of 72 and of 288 numbers walks a little, and each level ends with one call more.
    const expected = 2 * (stepsBetween({ beta: 0.1 }, 0.25, 0.01) + 1);
    expect(Math.abs(nfeDetail - expected)).toBeLessThan(0.15 * expected);
  });

  test.each([
    { name: "pyramid, a sampler", model: pyramid, low: dpm },
    { name: "pyramid, a stochastic sampler", model: pyramid, low: { sampler: "edm", steps: 3 } },
    { name: "pyramid, ascent", model: pyramid, low: fast },
    { name: "flat, ascent", model: flat, low: fast },
    { name: "U-Net, a sampler", model: unet, low: dpm },
  ])("$name: image i depends on (seed, i) alone", async ({ model, low }) => {
    const whole = await draw(model, 3, { low });
    const size = whole.data.length / 3;
    const apart = await draw(model, 2, { low });
    expectClose(apart.data, whole.data, { atol: 1e-4, rtol: 0 });
    const last = await draw(model, 1, { low, first: 2, count: 1 });
    expectClose(last.data, whole.data.subarray(2 * size), { atol: 1e-4, rtol: 0 });
    const other = await draw(model, 1, { low, seed: 4, count: 1 });
    expect(other.data.some((value, i) => Math.abs(value - whole.data[i]!) > 0.01)).toBe(true);
  });

  test("draws the band of an exact denoiser with its mean and variances, and details on top of it", async () => {
    // 24 values of mean 1/2 that vary along one direction.
    const [count, size, variance] = [200, 24, 0.5];
    const direction = Array.from({ length: size }, (_, i) => (i % 2 === 0 ? 1 : -1) / Math.sqrt(size));
    const scale: DetailScale = {
      residual: (band) => (details) => details.map((value, i) => value - 0.1 * band[i % band.length]!),
      inverse: (band, details) =>
        joinMeans({ low: planes(band, [count, 1, 4, 6]), details: planes(details, [count, 3, 4, 6]) }).data,
    };
    const sampler: LocalSampler = {
      batch: count,
      image: [1, 8, 12],
      low: {
        kind: "blind",
        residual: lowRankResidual({
          mean: new Float64Array(size).fill(0.5),
          variances: [variance],
          basis: direction,
        }),
      },
      scales: [scale],
      lowSize: size,
      dispose: () => Promise.resolve(),
    };
    const low = { sampler: "dpmpp2m", steps: 20 };
    const { data } = await sampleLocal(sampler, { seed: 1, count, low });
    const bands = splitMeans(
      planes(
        data.map((value) => (value + 1) / 2),
        [count, 1, 8, 12],
      ),
    );
    const along = Array.from({ length: count }, (_, i) =>
      direction.reduce((sum, d, j) => sum + d * (bands.low.data[i * size + j]! - 0.5), 0),
    );
    const mean = along.reduce((a, b) => a + b) / count;
    const found = along.reduce((sum, value) => sum + (value - mean) ** 2, 0) / count;
    // Standard errors of 200 draws: 0.05 of the mean, 10 % of the variance.
    expect(Math.abs(mean)).toBeLessThan(0.2);
    expect(Math.abs(found / variance - 1)).toBeLessThan(0.35);
    const wanted = Float32Array.from(bands.details.data, (_, i) => {
      const [image, at] = [Math.floor(i / (3 * size)), i % (3 * size)];
      return 0.1 * bands.low.data[(image * 3 * size + at) % (count * size)]!;
    });
    expectClose(bands.details.data, wanted, { atol: 1e-3 });
  });

  test("makes images of any extents that fit, and names those that are near others", async () => {
    expect((await draw(pyramid, 1, { count: 1 }, { height: 4, width: 36 })).data.length).toBe(144);
    await expect(draw(pyramid, 1, { count: 1 }, { height: 18, width: 25 })).rejects.toThrow(
      "size: 25x18; this model makes images whose extents are multiples of 4. Use --size 24x20.",
    );
  });

  test("a model that sees noisy low-pass bands draws no images", async () => {
    const seesNoise = localModel(smoothing, [randomNetwork(1, { inputs: 5, outputs: 3 })]);
    await expect(draw(seesNoise, 1, {})).rejects.toThrow(
      "sampling takes a model that sees details beside a clean",
    );
  });

  test("an unknown sampler and too few steps are refused", async () => {
    await expect(draw(flat, 1, { low: { sampler: "dpm", steps: 3 } })).rejects.toThrow(/unknown sampler/);
    await expect(draw(flat, 1, { low: { sampler: "heun", steps: 0 } })).rejects.toThrow(/steps: 0/);
  });

  test("says that ascent gave up, and tells how far it is", async () => {
    const shares: number[] = [];
    const { converged } = await draw(pyramid, 3, {
      details: { maxSteps: 2 },
      onProgress: (done) => void shares.push(done),
    });
    expect(converged).toBe(false);
    expect(shares.at(-1)).toBe(3);
    expect(shares.every((share, i) => share >= 0 && share <= 3 && share >= (shares[i - 1] ?? 0) - 0.5)).toBe(
      true,
    );
  });
});

import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { lowRankResidual } from "../../../diffusion/ascent/exact-residuals.testing.ts";
import type { DetailScale } from "../../../diffusion/ascent/multi-scale.ts";
import { stepsBetween } from "../../../diffusion/ascent/step-size.ts";
import { initBandUnet } from "../../../nn/band-unet.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import { randomNetwork } from "../../../restoration/pictures.testing.ts";
import { joinMeans, splitMeans } from "../../../wavelet/haar-means.ts";
import { planes } from "../../../wavelet/planes.ts";
import { compileDraw, type DrawingRequest } from "../../../drawing/compile-draw.ts";
import { networkCalls } from "../../../drawing/network-calls.ts";
import { drawBlind } from "./blind-band.ts";
import { ascendDetails, DETAIL_ASCENT, openDetails, scalesFrom } from "./detail-ascent.ts";
import { type LocalAsked, localDraw } from "./draw.ts";
import { levelsOf, type LocalModel, localModel, unetModel } from "./model.ts";

const backend = node({ threads: 1 });
const dpm = { sampler: "dpmpp2m", steps: 6 } as const;
const ascent = { sampler: "ascent", beta: 1 } as const;

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

function drawOf(model: LocalModel) {
  const hasDetails = model.kind === "pyramid" && model.details.length > 0;
  return localDraw({ channels: 1, levels: levelsOf(model), hasDetails, model: () => model });
}

async function draw(
  model: LocalModel,
  batch: number,
  asked: LocalAsked,
  request: Partial<DrawingRequest> = {},
) {
  const able = drawOf(model);
  const chain = able.steps(able.choose({ size: { height: 16, width: 24 }, ...asked }));
  const drawing = await compileDraw(backend, chain, new Map(), batch);
  const found = await drawing.run({ seed: 3, count: 3, ...request });
  await drawing.dispose();
  return { ...found, ...networkCalls(found.calls) };
}

describe("localDraw()", () => {
  test("where all details are noise, the image is its low-pass band in blocks of 4 x 4", async () => {
    const { data, nfeLow, nfeDetail, converged } = await draw(pyramid, 2, dpm);
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
    { name: "pyramid, ascent", model: pyramid, low: ascent },
    { name: "flat, ascent", model: flat, low: ascent },
    { name: "U-Net, a sampler", model: unet, low: dpm },
  ])("$name: image i depends on (seed, i) alone", async ({ model, low }) => {
    const whole = await draw(model, 3, low);
    const size = whole.data.length / 3;
    const apart = await draw(model, 2, low);
    expectClose(apart.data, whole.data, { atol: 1e-4, rtol: 0 });
    const last = await draw(model, 1, low, { first: 2, count: 1 });
    expectClose(last.data, whole.data.subarray(2 * size), { atol: 1e-4, rtol: 0 });
    const other = await draw(model, 1, low, { seed: 4, count: 1 });
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
    const residual = lowRankResidual<Float32Array>({
      mean: new Float64Array(size).fill(0.5),
      variances: [variance],
      basis: direction,
    });
    const images = { seed: 1, count };
    const low = drawBlind({ residual, size, whole: false }, { sampler: "dpmpp2m", steps: 20 });
    const band = await low.run(undefined, images, () => undefined);
    const details = ascendDetails(scalesFrom([scale], DETAIL_ASCENT, undefined));
    const { data } = await details.run(band.data, images, () => undefined);
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
    const wide = { ...dpm, size: { height: 4, width: 36 } };
    expect((await draw(pyramid, 1, wide, { count: 1 })).data.length).toBe(144);
    expect(() => drawOf(pyramid).choose({ size: { height: 18, width: 25 } })).toThrow(
      "size: 25x18; this model makes images whose extents are multiples of 4. Use --size 24x20.",
    );
    expect(() => drawOf(pyramid).choose({})).toThrow("Give --size, such as 160.");
  });

  test("a model that sees noisy low-pass bands draws no images", async () => {
    const seesNoise = localModel(smoothing, [randomNetwork(1, { inputs: 5, outputs: 3 })]);
    await expect(draw(seesNoise, 1, {})).rejects.toThrow(
      "sampling takes a model that sees details beside a clean",
    );
  });

  test("an unknown sampler and too few steps are refused", async () => {
    const size = { height: 8, width: 8 };
    const choose = (asked: LocalAsked) => () => drawOf(flat).choose({ size, ...asked });
    expect(choose({ sampler: "dpm" })).toThrow(/unknown sampler/);
    expect(choose({ sampler: "heun", steps: 0 })).toThrow(/steps: 0/);
    expect(choose({ detailsBeta: 0.5 })).toThrow(/this model draws whole images/);
  });

  test("says that ascent gave up, and tells how far it is", async () => {
    const shares: number[] = [];
    const step = await openDetails(
      backend,
      pyramid,
      { batch: 3, height: 16, width: 24 },
      { maxSteps: 2 },
      undefined,
    );
    const { converged, calls } = await step.run(
      new Float32Array(3 * 24).fill(0.5),
      { seed: 1, count: 3 },
      (share) => void shares.push(share),
    );
    await step.dispose();
    expect(converged).toBe(false);
    expect(calls, "two steps and a last call, on two levels").toEqual([6, 6, 6]);
    expect(shares.length).toBeGreaterThan(2);
    expect(shares.every((share) => share >= 0 && share <= 1)).toBe(true);
    const whole: number[] = [];
    await draw(pyramid, 3, dpm, { onProgress: (done) => void whole.push(done) });
    expect(whole.at(-1)).toBe(3);
    expect(whole.every((done) => done >= 0 && done <= 3)).toBe(true);
  });
});

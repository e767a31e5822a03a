import { type NamedArray, UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { startNoise, stepNoise } from "../diffusion/noise.ts";
import { toSample } from "../training/sample-grid.ts";
import { untrainedTensors } from "./parts/untrained-tensors.ts";
import { exportSampler } from "./export-sampler.ts";
import { detailNoise, sampleImages } from "./sampling.ts";
import type { System } from "./system.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";

const STEPS = 3;

/** A tiny system of any number of levels; not square, so that no two axes can be confused. */
function tiny(levels: number, channels: 1 | 3 = 3): { system: System; tensors: Map<string, NamedArray> } {
  const ofChannels = (value: number) => Array.from({ length: channels }, (_, c) => value + 0.01 * c);
  const system = wmgm(
    resolveWmgmConfig(
      { channels, height: 16, width: 8, levels, baseWidth: 16 },
      {
        lowMean: ofChannels(0.1),
        lowStd: ofChannels(0.4),
        detailRms: Array.from({ length: levels }, () => [0.1, 0.2, 0.05].flatMap(ofChannels)),
      },
    ),
  );
  return { system, tensors: untrainedTensors(system) };
}

/** The noise of images 4, 5, ... of a seed, for each input of an exported sampler, as sampling draws it. */
function noiseFeeds(
  inputs: readonly { name: string; shape: readonly number[] }[],
  seed: number,
  count: number,
) {
  const images = { seed, first: 4, count };
  return Object.fromEntries(
    inputs.map(({ name, shape }) => {
      const dims = [count, ...shape];
      const out = new Float32Array(dims.reduce((a, b) => a * b, 1));
      const [, kind, index] = /^(noise|step_noise_|detail_noise_)(\d*)$/.exec(name)!;
      if (kind === "noise") startNoise(images, 1, out);
      else if (kind === "step_noise_") stepNoise<Float32Array>(images)(Number(index), out);
      else detailNoise(images, Number(index), out);
      return [name, new ort.Tensor("float32", out, dims)];
    }),
  );
}

/** `[n, c, h, w]` in [-1, 1] as bytes `[n, h, w, c]`. */
function bytesOf(data: Float32Array, { channels: c, height: h, width: w }: System["image"]): Uint8Array {
  const plane = h * w;
  return Uint8Array.from({ length: data.length }, (_, at) => {
    const [image, pixel, channel] = [Math.floor(at / (c * plane)), Math.floor(at / c) % plane, at % c];
    return toSample(data[(image * c + channel) * plane + pixel]!);
  });
}

async function checkAgainstSampling(
  { system, tensors }: ReturnType<typeof tiny>,
  sampler: string,
  batches: readonly number[],
): Promise<void> {
  const { bytes, inputs, nfeLow, nfeDetail } = exportSampler(system, tensors, { sampler, steps: STEPS });
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  for (const batch of batches) {
    const { image } = await session.run(noiseFeeds(inputs, 7, batch));
    const { channels, height, width } = system.image;
    expect([image!.type, ...image!.dims]).toEqual(["uint8", batch, height, width, channels]);
    const compiled = await system.createSampler(node({ threads: 1 }), tensors, batch);
    const want = await sampleImages(system, compiled, {
      seed: 7,
      first: 4,
      count: batch,
      sampler,
      steps: STEPS,
    });
    await compiled.dispose();
    expect([want.nfeLow, want.nfeDetail]).toEqual([nfeLow, nfeDetail]);
    const expected = bytesOf(want.data, system.image);
    const differences = expected.map((value, i) => Math.abs(value - (image!.data as Uint8Array)[i]!));
    const label = `${sampler}, ${system.levels} levels, batch ${batch}`;
    expect(new Set(expected).size, `${label}: a picture worth comparing`).toBeGreaterThan(20);
    // Sums in another order and float32 updates move a pixel by 4e-5 of a level (dpmpp2m) to 2e-3 (edm), measured here:
    // only one on the edge between two bytes can fall to the other side, 4 of 123,000 at batch 64.
    expect(Math.max(...differences), `${label}: greatest difference in levels of 255`).toBeLessThanOrEqual(1);
    expect(
      differences.filter((d) => d > 0).length / expected.length,
      `${label}: share that differs`,
    ).toBeLessThan(0.01);
  }
  await session.release();
}

describe("exportSampler()", () => {
  const two = tiny(2);

  test.each(["dpmpp2m", "heun", "ddpm", "edm", "reverse-sde"])(
    "%s: plain ONNX Runtime draws the images of sampleImages() from the same noise, at any batch",
    (sampler) => checkAgainstSampling(two, sampler, [1, 3]),
  );

  test("works without levels, in grey, and at a batch that takes other kernels", async () => {
    await checkAgainstSampling(tiny(0), "dpmpp2m", [2]);
    await checkAgainstSampling(tiny(1, 1), "dpmpp2m", [9]);
  });

  test("asks for the noise that is used, and tells the cost", () => {
    const { inputs, output, nfeLow, nfeDetail } = exportSampler(two.system, two.tensors, {
      sampler: "ddpm",
      steps: STEPS,
    });
    expect(inputs).toEqual([
      { name: "noise", shape: [3, 4, 2] },
      { name: "step_noise_0", shape: [3, 4, 2] },
      { name: "step_noise_1", shape: [3, 4, 2] },
      { name: "detail_noise_2", shape: [4, 4, 2] },
      { name: "detail_noise_1", shape: [4, 8, 4] },
    ]);
    expect(output).toEqual({ name: "image", shape: [16, 8, 3] });
    expect([nfeLow, nfeDetail]).toEqual([3, 2]);
  });

  test("shares the parameters between all calls: a step adds nodes only", () => {
    const size = (steps: number) =>
      exportSampler(two.system, two.tensors, { sampler: "dpmpp2m", steps }).bytes.length;
    const parameters = [...two.tensors].reduce(
      (total, [name, { data }]) => total + (name.startsWith("low.average.") ? 4 * data.length : 0),
      0,
    );
    expect(size(1)).toBeGreaterThan(parameters);
    expect((size(9) - size(1)) / 8, "bytes of nodes a call").toBeLessThan(0.2 * parameters);
  });

  test("refuses unknown samplers and checkpoints of other systems", () => {
    const request = { sampler: "dpmpp2m", steps: STEPS };
    expect(() => exportSampler(two.system, two.tensors, { ...request, sampler: "dpm" })).toThrow(UserError);
    expect(() => exportSampler(two.system, new Map(), request)).toThrow('state "params.');
  });
});

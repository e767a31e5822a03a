import type { NamedArray } from "onnxgrad";
import { node } from "onnxgrad/node";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { fillImages, startNoise, stepNoise } from "../diffusion/noise.ts";
import { toSample } from "../training/sample-grid.ts";
import { untrainedTensors } from "../systems/parts/untrained-tensors.testing.ts";
import type { HostStep } from "../systems/draw.ts";
import type { System } from "../systems/system.ts";
import { wmgm } from "../systems/wmgm/wmgm.ts";
import { resolveWmgmConfig } from "../systems/wmgm/config.ts";
import { compileDraw } from "./compile-draw.ts";
import { exportDraw, exportingDraw } from "./export-draw.ts";

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
      else fillImages(images, `sampling-detail-${index}`, out);
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

const chainOf = ({ draw }: System, sampler: string, steps = STEPS) =>
  draw.steps(draw.choose({ sampler, steps }));

async function checkAgainstSampling(
  { system, tensors }: ReturnType<typeof tiny>,
  sampler: string,
  batches: readonly number[],
): Promise<void> {
  const chain = chainOf(system, sampler);
  const { bytes, inputs, calls } = exportDraw(chain, tensors);
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
  for (const batch of batches) {
    const { image } = await session.run(noiseFeeds(inputs, 7, batch));
    const { channels, height, width } = system.image;
    expect([image!.type, ...image!.dims]).toEqual(["uint8", batch, height, width, channels]);
    const drawing = await compileDraw(node({ threads: 1 }), chain, tensors, batch);
    const want = await drawing.run({ seed: 7, first: 4, count: batch });
    await drawing.dispose();
    expect(want.calls).toEqual(calls);
    const expected = bytesOf(want.data, system.image);
    const differences = expected.map((value, i) => Math.abs(value - (image!.data as Uint8Array)[i]!));
    const label = `${sampler}, ${system.pyramid!.levels} levels, batch ${batch}`;
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

describe("exportDraw()", () => {
  const two = tiny(2);

  test.each(["dpmpp2m", "heun", "ddpm", "edm", "reverse-sde"])(
    "%s: plain ONNX Runtime draws the images of the host loop from the same noise, at any batch",
    (sampler) => checkAgainstSampling(two, sampler, [1, 3]),
  );

  test("works without levels, in grey, and at a batch that takes other kernels", async () => {
    await checkAgainstSampling(tiny(0), "dpmpp2m", [2]);
    await checkAgainstSampling(tiny(1, 1), "dpmpp2m", [9]);
  });

  test("asks for the noise that is used, and tells the cost", () => {
    const { inputs, output, calls } = exportDraw(chainOf(two.system, "ddpm"), two.tensors);
    expect(inputs).toEqual([
      { name: "noise", shape: [3, 4, 2] },
      { name: "step_noise_0", shape: [3, 4, 2] },
      { name: "step_noise_1", shape: [3, 4, 2] },
      { name: "detail_noise_2", shape: [4, 4, 2] },
      { name: "detail_noise_1", shape: [4, 8, 4] },
    ]);
    expect(output).toEqual({ name: "image", shape: [16, 8, 3] });
    expect(calls).toEqual([3, 1, 1]);
  });

  test("shares the parameters between all calls: a step adds nodes only", () => {
    const size = (steps: number) =>
      exportDraw(chainOf(two.system, "dpmpp2m", steps), two.tensors).bytes.length;
    const parameters = [...two.tensors].reduce(
      (total, [name, { data }]) => total + (name.startsWith("low.average.") ? 4 * data.length : 0),
      0,
    );
    expect(size(1)).toBeGreaterThan(parameters);
    expect((size(9) - size(1)) / 8, "bytes of nodes a call").toBeLessThan(0.2 * parameters);
  });

  test("goes in pieces, between which another may be exported", () => {
    const chain = chainOf(two.system, "ddpm");
    const works = [exportingDraw(chain, two.tensors), exportingDraw(chain, two.tensors)];
    let pieces = 0;
    for (;;) {
      const [one, other] = works.map((work) => work.next());
      if (one!.done !== true) {
        pieces++;
        continue;
      }
      const { bytes } = exportDraw(chain, two.tensors);
      expect(one!.value.bytes).toEqual(bytes);
      expect(other!.value).toEqual(one!.value);
      break;
    }
    expect(pieces, "two traces of five calls, and their nodes").toBeGreaterThan(100);
  });

  test("refuses checkpoints of other systems, and a step that stops by itself", () => {
    const chain = chainOf(two.system, "dpmpp2m");
    expect(() => exportDraw(chain, new Map())).toThrow('state "params.');
    const endless: HostStep = {
      ...{ kind: "host", name: "ascent", gives: [3, 16, 8], level: 0 },
      open: () => Promise.reject(new Error("never opened")),
    };
    expect(() => exportDraw([...chain, endless], two.tensors)).toThrow(
      expect.objectContaining({ name: "UserError", code: "export/host" }),
    );
  });
});

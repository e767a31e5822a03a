/** @module Presets that are diffusion throughout: the released sizes, what does not fit, resumed runs, and the exported file. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { atOnce, type Packed, rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import * as ort from "onnxruntime-node";
import { describe, expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { startNoise, stepNoise } from "../diffusion/noise.ts";
import { compileDraw } from "../drawing/compile-draw.ts";
import { exportDraw } from "../drawing/export-draw.ts";
import { train } from "../loop/trainer.ts";
import { folderHost } from "../training/folder-host.ts";
import { toSample } from "../training/sample-grid.ts";
import type { Diffuse } from "./draw.ts";
import { untrainedTensors } from "./parts/untrained-tensors.testing.ts";
import { presetNamed } from "./presets.ts";
import type { ImageShape, System } from "./system.ts";

const backend = node({ threads: 1 });
const colour = (height: number, width: number): ImageShape => ({ channels: 3, height, width });

/** Images of noise; of a large size, one that is never read. */
function imagesOf({ channels, height, width }: ImageShape, count: number) {
  const random = rng(1, "images");
  return createDataset({
    ...{ name: "noise", channels, height, width, licence: "CC0", credit: "none" },
    pixels: Uint8Array.from({ length: count * channels * height * width }, () => random.below(256)),
    ...{ skipped: {}, fingerprint: "noise" },
  });
}

function systemOf(name: string, asked: object, images: ReturnType<typeof imagesOf>): System {
  const preset = presetNamed(name);
  return preset.system(atOnce(preset.resolve(preset.choose(asked, images), images, {})));
}

/** Parameters of each stage's network. */
const parametersOf = ({ stages }: System): readonly number[] =>
  stages.map((stage) => {
    const layout = stage.layout() as Readonly<Record<string, Packed>>;
    return Object.values(stage.networks).reduce((total, part) => total + layout[part]!.size, 0);
  });

test("at the released size, networks have the parameters of SGM and WSGM", () => {
  const large = imagesOf(colour(128, 128), 1);
  expect(parametersOf(systemOf("sgm", { unet: "improved" }, large))).toEqual([160_299_267]);
  // From the low band of 32 x 32 to the details of 64 x 64: 351 M, as the authors of WMGM state.
  const wsgm = parametersOf(systemOf("wsgm", { formulation: "ou" }, large));
  expect(wsgm).toEqual([52_542_979, 142_144_265, 156_317_961]);
  expect(Math.round(wsgm.reduce((a, b) => a + b) / 1e6)).toBe(351);
});

test("what is released is chosen by its diffusion or its network; the rest is small", () => {
  for (const name of ["sgm", "wsgm"]) {
    const choose = (asked: object) => presetNamed(name).choose(asked, colour(32, 32));
    const small = { formulation: "edm", unet: "score", width: name === "sgm" ? 32 : 64, lr: 1e-3 };
    const released = { unet: "improved", width: 128, lr: 1e-4 };
    expect(choose({}), name).toMatchObject(small);
    expect(choose({ formulation: "ou" }), name).toMatchObject({ ...released, formulation: "ou" });
    expect(choose({ unet: "improved", width: 16 }), name).toMatchObject({ ...released, width: 16 });
    expect(choose({ formulation: "ou", unet: "score" }), name).toMatchObject({ unet: "score", lr: 1e-3 });
    for (const count of parametersOf(systemOf(name, {}, imagesOf(colour(32, 32), 2))))
      expect(count, name).toBeLessThan(5e6);
  }
});

describe("bad input", () => {
  const refusal = (act: () => unknown): string => {
    try {
      act();
      return "";
    } catch (error) {
      return (error as Error).message;
    }
  };

  test("sizes and levels that do not fit are refused before anything is read", () => {
    const choose = (name: string, height: number, width: number, asked: object = {}) =>
      refusal(() => presetNamed(name).choose(asked, colour(height, width)));
    expect(choose("sgm", 24, 25)).toMatch(/^size: 24x25 does not fit sgm.*even.*Use --size 24x26\.$/);
    expect(choose("sgm", 6, 10)).toBe("");
    expect(choose("wsgm", 9, 10)).toMatch(/^size: 9x10 does not fit 1 wavelet levels .*Use --size /);
    expect(choose("wsgm", 12, 8, { levels: 3 })).toMatch(/^size: 12x8 does not fit 3 wavelet levels/);
    expect(choose("wsgm", 16, 16, { levels: 0 })).toMatch(
      /^levels: 0 leave wsgm no details.*--preset sgm\.$/,
    );
  });

  test("ways of drawing that do not fit are refused before anything is compiled", () => {
    const choose = (formulation: string, asked: object) => {
      const { draw } = systemOf(
        "wsgm",
        { formulation, unet: "score", width: 8 },
        imagesOf(colour(32, 32), 2),
      );
      return refusal(() => draw.choose(asked as never));
    };
    expect(choose("edm", { times: "uniform" })).toMatch(/^times: uniform; only runs of --formulation ou/);
    expect(choose("ou", { times: "uniform" })).toBe("");
    expect(choose("edm", { steps: 2, stepsOf: "total" })).toMatch(
      /^steps: 2 in total are fewer than 3 scales/,
    );
    expect(choose("edm", { sampler: "dpm" })).toMatch(/unknown sampler: "dpm"/);
    expect(choose("ou", { steps: 0 })).toMatch(/^steps: 0/);
  });
});

describe("steps of wsgm", () => {
  const { draw } = systemOf("wsgm", { unet: "score", width: 8 }, imagesOf(colour(32, 32), 2));
  const stepsOf = (asked: object) =>
    (draw.steps(draw.choose(asked as never)) as readonly Diffuse[]).map(({ plan }) => plan.length);

  test("are of each scale, or in total, the coarser scales first", () => {
    expect(stepsOf({ steps: 5 })).toEqual([5, 5, 5]);
    expect(stepsOf({ steps: 5, stepsOf: "total" })).toEqual([2, 2, 1]);
    expect(stepsOf({ stepsOf: "total" })).toEqual([8, 8, 8]);
    expect(draw.describe(draw.choose({ steps: 7, stepsOf: "total" } as never))).toEqual([
      ["sampler", "dpmpp2m, 3 + 2 + 2 steps, the coarsest scale first"],
    ]);
  });

  test("no two scales share noise, to train or to draw", () => {
    const { stages } = systemOf("wsgm", { unet: "score", width: 8 }, imagesOf(colour(32, 32), 2));
    const firsts = stages.flatMap((stage) => {
      const batch = { pixels: new Float32Array() };
      const fed = stage.feeds({ seed: 1, step: 0, imagesSeen: 0, progress: 0, lrScale: 1 }, batch);
      const scored = stage.score!.feeds(1, 0, batch);
      return [fed, scored].flatMap(({ noise, sigma }) =>
        [noise, sigma].map((values) => (values as Float32Array)[0]),
      );
    });
    expect(new Set(firsts).size).toBe(4 * stages.length);
    const runs = draw.steps(draw.choose({})).map((step) => (step as Diffuse).run);
    expect(new Set(runs).size).toBe(stages.length);
  });
});

const TINY: readonly (readonly [name: string, asked: object, exported: readonly string[]])[] = [
  ["sgm", { unet: "improved", formulation: "flow" }, ["dpmpp2m", "edm"]],
  ["wsgm", { levels: 2 }, ["dpmpp2m", "edm"]],
  // Untrained, from exp(5), it draws black and white alone: no picture worth comparing.
  ["wsgm", { levels: 1, formulation: "ou" }, []],
];

describe.each(TINY)("%s %o", (name, asked, exported) => {
  const images = imagesOf(colour(16, 8), 12);
  const system = systemOf(name, { ...asked, width: 8, batch: 4 }, images);

  test("a run that is stopped goes on to the bytes of a straight one", { timeout: 240_000 }, async () => {
    const root = mkdtempSync(join(tmpdir(), "subband-diffusion-"));
    const run = async (folder: string, stopAt: number): Promise<Buffer> => {
      const stop = new AbortController();
      let steps = 0;
      const dir = join(root, folder);
      mkdirSync(dir, { recursive: true });
      const host = folderHost(dir, {
        signal: stop.signal,
        tell: ({ kind }) => {
          if (kind === "step" && ++steps === stopAt) stop.abort();
        },
      });
      const budget = Object.fromEntries(system.stages.map((stage) => [stage.name, 12]));
      const options = { stages: system.stages, images: budget, backend, dataset: images, heldOut: images };
      await train(host, { ...options, seed: 7, flip: true });
      return readFileSync(join(dir, "state.safetensors"));
    };
    try {
      const straight = await run("straight", Infinity);
      const broken = await run("broken", system.stages.length + 1);
      expect(broken.equals(straight)).toBe(false);
      expect((await run("broken", Infinity)).equals(straight)).toBe(true);
    } finally {
      rmSync(root, { recursive: true, force: true });
    }
  });

  test.each(exported)("%s: plain ONNX Runtime draws what the host does", async (sampler) => {
    const chain = system.draw.steps(system.draw.choose({ sampler, steps: 2 })) as readonly Diffuse[];
    const arrays = untrainedTensors(system);
    const { bytes, inputs, calls } = exportDraw(chain, arrays);
    const noise = chain.flatMap(({ run, plan, state }) => {
      const range = { seed: 7, count: 2, ...(run !== undefined && { run }) };
      const suffix = run === undefined ? "" : `_${run}`;
      const size = 2 * state.reduce((a, b) => a * b);
      const draws = plan
        .filter((call) => call.noiseBefore > 0 || call.noiseAfter > 0)
        .map(({ step }) => step);
      return [
        [`noise${suffix}`, state, startNoise(range, 1, new Float32Array(size))] as const,
        ...[...new Set(draws)].map((step) => {
          const out = new Float32Array(size);
          stepNoise<Float32Array>(range)(step, out);
          return [`step_noise_${step}${suffix}`, state, out] as const;
        }),
      ];
    });
    expect(inputs.map((each) => each.name)).toEqual(noise.map(([each]) => each));
    const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3, intraOpNumThreads: 1 });
    const { image } = await session.run(
      Object.fromEntries(
        noise.map(([each, state, data]) => [each, new ort.Tensor("float32", data, [2, ...state])]),
      ),
    );
    await session.release();
    const drawing = await compileDraw(backend, chain, arrays, 2);
    const { data, calls: made } = await drawing.run({ seed: 7, count: 2 });
    await drawing.dispose();
    expect(made).toEqual(calls);
    const plane = 16 * 8;
    const host = Array.from({ length: data.length }, (_, at) => {
      const [picture, place, channel] = [Math.floor(at / (3 * plane)), Math.floor(at / 3) % plane, at % 3];
      return toSample(data[(picture * 3 + channel) * plane + place]!);
    });
    expect(new Set(host).size, "a picture worth comparing").toBeGreaterThan(20);
    const gaps = host.map((value, at) => Math.abs(value - (image!.data as Uint8Array)[at]!));
    // Only a pixel on the edge between two bytes can fall to the other side.
    expect(Math.max(...gaps)).toBeLessThanOrEqual(1);
    expect(gaps.filter((gap) => gap > 0).length / gaps.length).toBeLessThan(0.01);
  });
});

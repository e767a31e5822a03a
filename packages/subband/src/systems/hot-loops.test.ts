/** @module Loops over networks copy no arrays: bytes of all copies of arrays, counted where JavaScript makes them. */
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { arraySource } from "../restoration/image-source.ts";
import { randomNetwork } from "../restoration/pictures.testing.ts";
import { tiledDenoiser } from "../restoration/tiled-denoiser.ts";
import { StageRunner } from "../loop/stage-runner.ts";
import { localModel } from "./parts/local/model.ts";
import { openBlind } from "./parts/local/blind-band.ts";
import { compileDraw } from "../drawing/compile-draw.ts";
import { untrainedTensors } from "./parts/untrained-tensors.testing.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";

const backend = node({ threads: 1, shards: 1 });
const [BATCH, SIDE] = [4, 16];
const system = wmgm(
  resolveWmgmConfig(
    { channels: 1, height: SIDE, width: SIDE, levels: 0, baseWidth: 8, batch: BATCH },
    { lowMean: [0], lowStd: [0.5], detailRms: [] },
  ),
);

let copied = 0;
beforeEach(() => {
  copied = 0;
  const { slice } = Float32Array.prototype;
  vi.spyOn(Float32Array.prototype, "slice").mockImplementation(function (this: Float32Array, ...range) {
    const found = slice.apply(this, range);
    copied += found.byteLength;
    return found;
  });
});
afterEach(() => vi.restoreAllMocks());

/** Bytes that `work` copies. */
async function copies(work: () => Promise<unknown>): Promise<number> {
  const before = copied;
  await work();
  return copied - before;
}

test("a training step", async () => {
  const dataset = createDataset({
    ...{ name: "noise", licence: "none", credit: "none", fingerprint: "noise", skipped: {} },
    ...{ channels: 1, height: SIDE, width: SIDE },
    pixels: Uint8Array.from({ length: 8 * SIDE * SIDE }, (_, i) => (37 * i) % 256),
  });
  const runner = new StageRunner(system.stages[0]!, { backend, dataset, seed: 1, flip: false });
  runner.begin(new Map());
  await runner.step(100, 1);
  expect(await copies(() => runner.step(100, 1))).toBe(0);
  await runner.dispose();
});

test("steps of samplers, beyond what a drawing of any number of steps copies", async () => {
  const tensors = untrainedTensors(system);
  const drawn = async (steps: number) => {
    const chain = system.draw.steps(system.draw.choose({ steps }));
    const drawing = await compileDraw(backend, chain, tensors, BATCH);
    const bytes = await copies(() => drawing.run({ seed: 1, count: BATCH }));
    await drawing.dispose();
    return bytes;
  };
  const [few, many] = [await drawn(2), await drawn(9)];
  expect(few).toBeGreaterThan(0);
  expect(many).toBe(few);
});

test("steps of stochastic ascent", async () => {
  const model = localModel(randomNetwork(3, {}), []);
  const drawn = async (maxSteps: number) => {
    const ascent = { h0: 1e-3, beta: 0.5, maxSteps };
    const step = await openBlind(backend, model, 2, [1, SIDE, SIDE], { ascent });
    const bytes = await copies(() => step.run(undefined, { seed: 1, count: 2 }, () => undefined));
    await step.dispose();
    return bytes;
  };
  const [few, many] = [await drawn(2), await drawn(20)];
  expect(many).toBe(few);
});

test("tiles of a picture", async () => {
  const denoiser = tiledDenoiser(backend, localModel(randomNetwork(3, {}), []), { tilePixels: 24 * 24 });
  const picture = arraySource(rng(1, "picture").fillNormal(new Float32Array(96 * 96)), [1, 1, 96, 96]);
  let rows = 0;
  const denoise = () => denoiser.denoise(picture, (_, count) => void (rows += count));
  await denoise();
  expect(rows).toBe(96);
  expect(await copies(denoise)).toBe(0);
  await denoiser.dispose();
});

/** @module Calls that overlap on one sampler or denoiser: each gets its own answer, and an end comes once. */
import { type Backend, rng, UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import { nodeWorker } from "onnxgrad/node-worker";
import { describe, expect, test } from "vitest";
import { initBandUnet } from "../nn/band-unet.ts";
import { conditionalNetwork, meanOfNine, randomNetwork } from "../restoration/pictures.testing.ts";
import { compileDenoiser, compileResidual, conditionalResidual } from "./parts/local/denoiser.ts";
import { levelsOf, type LocalModel, localModel, unetModel } from "./parts/local/model.ts";
import { localDraw } from "./parts/local/draw.ts";
import { type EdmLowConfig, edmLowStage, resolveEdmLow } from "./parts/local/low-pass-prior.ts";
import { compileDraw } from "../drawing/compile-draw.ts";
import type { System } from "./system.ts";
import { untrainedTensors } from "./parts/untrained-tensors.testing.ts";
import { wmgm } from "./wmgm/wmgm.ts";
import { resolveWmgmConfig } from "./wmgm/config.ts";
import { wmgmFaithful } from "./wmgm-faithful/wmgm-faithful.ts";
import { resolveWmgmFaithfulConfig } from "./wmgm-faithful/config.ts";

const backend = node({ threads: 1 });

/** Something that draws images; the same for the same seed. */
interface Drawer {
  draw(seed: number, onProgress?: () => void): Promise<{ readonly data: Float32Array }>;
  dispose(): Promise<void>;
}

const ofChannels = (value: number) => [value, value, value];
const wmgmOf = (levels: number): System =>
  wmgm(
    resolveWmgmConfig(
      { channels: 3, height: 16, width: 16, levels, baseWidth: 8 },
      {
        lowMean: ofChannels(0.1),
        lowStd: ofChannels(0.5),
        detailRms: Array.from({ length: levels }, () => Array<number>(9).fill(0.1)),
      },
    ),
  );

async function systemDrawer(system: System, on: Backend, sampler = "dpmpp2m"): Promise<Drawer> {
  const chain = system.draw.steps(system.draw.choose({ sampler, steps: 3 }));
  const compiled = await compileDraw(on, chain, untrainedTensors(system), 2);
  return {
    draw: (seed, onProgress) => compiled.run({ seed, count: 3, ...(onProgress && { onProgress }) }),
    dispose: () => compiled.dispose(),
  };
}

const pyramid = localModel(meanOfNine(), [conditionalNetwork(0.02)]);
const unet = unetModel(
  initBandUnet(rng(1, "concurrent"), { channels: 1, widths: [4, 4], encoder: [1, 1], decoder: [1, 0] }),
);
const lowShape = { channels: 1, height: 16, width: 24, levels: 1 } as const;
const edmLow = resolveEdmLow(lowShape, { lowMean: [-0.2], lowStd: [0.5] }, { baseWidth: 8, batch: 4 });
const priorArrays = untrainedTensors({ stages: [edmLowStage(lowShape, edmLow)] } as unknown as System);

async function localDrawer(model: LocalModel, on: Backend, prior?: EdmLowConfig): Promise<Drawer> {
  const hasDetails = model.kind === "pyramid";
  const source = { channels: 1, levels: levelsOf(model), hasDetails, prior, model: () => model } as const;
  const able = localDraw(source);
  const asked = { sampler: "edm", steps: 3, size: { height: 16, width: 24 }, detailsBeta: 1 };
  const chain = able.steps(able.choose(hasDetails ? asked : { ...asked, detailsBeta: undefined }));
  const compiled = await compileDraw(on, chain, priorArrays, 2);
  return {
    draw: (seed, onProgress) => compiled.run({ seed, count: 3, ...(onProgress && { onProgress }) }),
    dispose: () => compiled.dispose(),
  };
}

const DRAWERS: readonly (readonly [name: string, make: () => Promise<Drawer>])[] = [
  ["wmgm, one level", () => systemDrawer(wmgmOf(1), backend)],
  ["wmgm, one level, in a worker", () => systemDrawer(wmgmOf(1), nodeWorker({ threads: 1 }), "edm")],
  ["wmgm, no level", () => systemDrawer(wmgmOf(0), backend, "heun")],
  [
    "wmgm-faithful",
    () =>
      systemDrawer(
        wmgmFaithful(
          resolveWmgmFaithfulConfig(
            { channels: 3, height: 32, width: 32, levels: 1, baseWidth: 8 },
            { range: { least: 0.1, greatest: 1.9 }, images: 2 },
          ),
        ),
        backend,
        "ddpm",
      ),
  ],
  ["a pyramid", () => localDrawer(pyramid, backend)],
  ["a pyramid with a prior", () => localDrawer(pyramid, backend, edmLow)],
  ["a U-Net", () => localDrawer(unet, backend)],
];

describe.each(DRAWERS)("a sampler of %s", (_, make) => {
  test("draws for two at once what each gets alone, also where another fails, and images last", async () => {
    const { draw, dispose } = await make();
    const alone = [(await draw(1)).data.slice(), (await draw(2)).data.slice()];
    expect(alone[0]).not.toEqual(alone[1]);
    const stop = () => {
      throw new Error("stopped");
    };
    const settled = await Promise.allSettled([draw(1), draw(2), draw(3, stop), draw(2), draw(1)]);
    const data = settled.map((each) => (each.status === "fulfilled" ? each.value.data : String(each.reason)));
    expect(data[2]).toBe("Error: stopped");
    for (const [at, which] of [
      [0, 0],
      [1, 1],
      [3, 1],
      [4, 0],
    ] as const)
      expect(data[at], `drawing ${at}`).toEqual(alone[which]);
    await dispose();
  });

  test("ends once, when what it was asked for is drawn", async () => {
    const { draw, dispose } = await make();
    const alone = (await draw(1)).data;
    let drawn = false;
    const running = draw(1).finally(() => (drawn = true));
    const ended = dispose().then(() => drawn);
    await expect(draw(2)).rejects.toMatchObject({ name: "UserError", code: "run/disposed" });
    expect((await running).data).toEqual(alone);
    expect(await ended).toBe(true);
    await Promise.all([dispose(), dispose()]);
    await expect(draw(2)).rejects.toBeInstanceOf(UserError);
  });
});

describe("compileDenoiser() and compileResidual()", () => {
  const normals = (name: string, size: number) => rng(5, name).fillNormal(new Float32Array(size));

  test("denoise overlapping images apart", async () => {
    const denoiser = await compileDenoiser(backend, pyramid, [1, 1, 16, 24], { bands: true });
    const [a, b] = [normals("a", 384), normals("b", 384)];
    const alone = [await denoiser.run(a), await denoiser.run(b)];
    expect(alone[0]!.image).not.toEqual(alone[1]!.image);
    const calls = [denoiser.run(a), denoiser.run(b), denoiser.run(a)];
    const ended = denoiser.dispose();
    expect(await Promise.all(calls)).toEqual([alone[0], alone[1], alone[0]]);
    await Promise.all([ended, denoiser.dispose()]);
    await expect(denoiser.run(a)).rejects.toMatchObject({ code: "run/disposed" });
  });

  test("a residual of details keeps overlapping calls apart, whenever the network reads", async () => {
    const [low, a, b] = [normals("low", 60), normals("a", 180), normals("b", 180)];
    const network = async (x: Float32Array) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return x.slice();
    };
    const compiled = await compileResidual(
      backend,
      randomNetwork(4, { inputs: 4, outputs: 3 }),
      [2, 4, 6, 5],
    );
    for (const residual of [network, compiled.residual]) {
      const conditional = conditionalResidual(residual, low, 2);
      const alone = [await conditional(a), await conditional(b)];
      expect(alone[0]).not.toEqual(alone[1]);
      expect(await Promise.all([conditional(a), conditional(b), conditional(a)])).toEqual([
        ...alone,
        alone[0],
      ]);
    }
    await compiled.dispose();
  });
});

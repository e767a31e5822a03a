import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expect, test } from "vitest";
import { psnr } from "../evaluation/psnr.ts";
import { localModel } from "../systems/parts/local/model.ts";
import { saveModel } from "../training/model-file.ts";
import { arraySource } from "./image-source.ts";
import { openModel } from "./model-source.ts";
import { randomNetwork } from "./pictures.testing.ts";
import { denoiseToArray, tiledDenoiser } from "./tiled-denoiser.ts";

test("openModel() opens the builtin model once there is one, and else says how to get one", async () => {
  const dir = mkdtempSync(join(tmpdir(), "subband-builtin-"));
  try {
    await expect(openModel("builtin", dir)).rejects.toThrow(
      "this build has no builtin denoiser. Import one (subband import NET.pt --out MODEL) or train one (subband train " +
        "--preset local-unet), and give it with --model.",
    );
    saveModel(dir, localModel(randomNetwork(1), []));
    expect((await openModel("builtin", dir)).model).toMatchObject({ kind: "pyramid", channels: 1 });
  } finally {
    rmSync(dir, { recursive: true });
  }
});

/** Discs that hide one another, with edges as soft as a lens makes them (the dead leaves of Matheron), 0..1. */
function deadLeaves(side: number): Float32Array {
  const random = rng(1, "dead-leaves");
  const image = new Float32Array(side * side).fill(0.5);
  for (let leaf = 0; leaf < 400; leaf++) {
    const radius = 3 / Math.sqrt(1e-2 + random.uniform()); // few large ones: the density falls as radius^-3
    const [cy, cx, gray] = [side * random.uniform(), side * random.uniform(), 0.1 + 0.8 * random.uniform()];
    for (let i = 0; i < image.length; i++) {
      const inside = radius - Math.hypot(Math.floor(i / side) - cy, (i % side) - cx);
      const share = Math.min(1, Math.max(0, inside + 0.5));
      image[i] = (1 - share) * image[i]! + share * gray;
    }
  }
  return image;
}

test("the builtin model takes noise of any level out of a picture unlike those it was trained on", async () => {
  const { model } = await openModel("builtin");
  expect(model).toMatchObject({ kind: "unet", channels: 1 });
  const side = 128;
  const clean = deadLeaves(side);
  const denoiser = tiledDenoiser(node({ threads: 1 }), model);
  for (const [sigma, least] of [
    [2, -1],
    [5, 1],
    [10, 3],
    [25, 6],
    [50, 9],
    [100, 12],
  ] as const) {
    const random = rng(sigma, "dead-leaves-noise");
    const noisy = clean.map((v) => v + (sigma / 255) * random.normal());
    const found = await denoiseToArray(denoiser, arraySource(noisy, [1, 1, side, side]));
    expect(psnr(found, clean) - psnr(noisy, clean), `sigma ${sigma}`).toBeGreaterThan(least);
  }
  await denoiser.dispose();
});

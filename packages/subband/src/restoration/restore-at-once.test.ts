/** @module Restorations that overlap on one denoiser: each is what it is alone, whatever the others do. */
import { node } from "onnxgrad/node";
import { expect, test } from "vitest";
import { localModel } from "../systems/parts/local/model.ts";
import { deblurPicture } from "./deblur-picture.ts";
import { denoisePicture } from "./denoise-picture.ts";
import { inpaintPicture } from "./inpaint-picture.ts";
import type { Picture } from "./picture.ts";
import { conditionalNetwork, meanOfNine, testPicture } from "./pictures.testing.ts";
import { tiledDenoiser } from "./tiled-denoiser.ts";
import { upscalePicture } from "./upscale-picture.ts";

test("denoising, enlarging, filling in and sharpening at once", async () => {
  const denoiser = tiledDenoiser(node({ threads: 1 }), localModel(meanOfNine(), [conditionalNetwork(0)]), {
    tilePixels: 20 * 20,
  });
  const [small, large] = [
    testPicture({ height: 12, width: 10, noise: 0.1 }),
    testPicture({ height: 22, width: 30, noise: 0.1 }),
  ];
  const mask = { ...large, samples: large.samples.map((_, i) => (i % 30 < 4 ? 255 : 0)) };
  const kernel = { height: 1, width: 3, values: [0.25, 0.5, 0.25] };
  const jobs: readonly (() => Promise<Picture>)[] = [
    () => denoisePicture(denoiser, large),
    async () => (await upscalePicture(denoiser, small, 2, { seed: 1 })).picture,
    async () => (await inpaintPicture(denoiser, large, mask, { seed: 2 })).picture,
    async () => (await deblurPicture(denoiser, large, kernel, { seed: 3 })).picture,
    () => denoisePicture(denoiser, small),
  ];
  const alone: Picture[] = [];
  for (const job of jobs) alone.push(await job());
  const wrong = upscalePicture(denoiser, small, 3);
  const together = jobs.map((job) => job());
  await expect(wrong).rejects.toMatchObject({ code: "restoration/factor" });
  for (const [i, each] of together.entries())
    expect((await each).samples, `job ${i}`).toEqual(alone[i]!.samples);
  await denoiser.dispose();
  await denoiser.dispose();
  await expect(jobs[0]!()).rejects.toMatchObject({ name: "UserError", code: "run/disposed" });
});

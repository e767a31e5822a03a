/** @module Every restoration of translucent pictures: what nobody sees neither shows nor changes anything. */
import { node } from "onnxgrad/node";
import { afterAll, describe, expect, test } from "vitest";
import { localModel } from "../systems/parts/local/model.ts";
import { deblurPicture } from "./deblur-picture.ts";
import { denoisePicture } from "./denoise-picture.ts";
import { inpaintPicture } from "./inpaint-picture.ts";
import type { Picture } from "./picture.ts";
import { conditionalNetwork, meanOfNine, testPicture } from "./pictures.testing.ts";
import { tiledDenoiser } from "./tiled-denoiser.ts";
import { upscaleConditional } from "./upscale-conditional.ts";
import { upscalePicture } from "./upscale-picture.ts";

const backend = node({ threads: 1 });
const denoiser = tiledDenoiser(backend, localModel(meanOfNine(), []));
const pyramid = localModel(meanOfNine(), [conditionalNetwork(0.05)]);
afterAll(() => denoiser.dispose());

const size = { height: 22, width: 26 };
const kernel = { height: 3, width: 3, values: [1, 1, 1, 1, 4, 1, 1, 1, 1] };
const mask: Picture = { ...testPicture(size), samples: new Uint8Array(22 * 26) };
for (let y = 8; y < 13; y++) mask.samples.fill(255, y * 26 + 4, y * 26 + 9);

/** Every restoration, and how many times larger its result is. */
const methods: readonly (readonly [string, number, (picture: Picture) => Promise<Picture>])[] = [
  ["upscale", 2, async (picture) => (await upscalePicture(denoiser, picture, 2)).picture],
  ["upscale, cubic", 2, async (picture) => (await upscalePicture(denoiser, picture, 2)).cubic],
  ["upscale, conditional", 2, async (p) => (await upscaleConditional(backend, pyramid, p, 2)).picture],
  ["denoise", 1, (picture) => denoisePicture(denoiser, picture)],
  ["denoise by half", 1, (picture) => denoisePicture(denoiser, picture, { strength: 0.5 })],
  ["inpaint", 1, async (picture) => (await inpaintPicture(denoiser, picture, mask, { sigma: 0.05 })).picture],
  ["deblur", 1, async (p) => (await deblurPicture(denoiser, p, kernel, { sigma: 0.01 })).picture],
];

/** Soft disc of a colour; other samples under alpha 0. */
function disc(
  colours: 1 | 3,
  deep: boolean,
  hidden: number,
  colour: (i: number, c: number) => number,
): Picture {
  const picture = testPicture({ ...size, colours, alpha: true, deep });
  const peak = deep ? 65535 : 255;
  const stride = colours + 1;
  for (let i = 0; i < size.height * size.width; i++) {
    const distance = Math.hypot(Math.floor(i / size.width) - 10, (i % size.width) - 9);
    const alpha = Math.round(peak * Math.min(1, Math.max(0, 8 - distance)));
    for (let c = 0; c < colours; c++)
      picture.samples[i * stride + c] = Math.round(peak * (alpha === 0 ? hidden : colour(i, c)));
    picture.samples[i * stride + colours] = alpha;
  }
  return picture;
}

describe.each(methods)("%s", (name, factor, restore) => {
  test("a white disc on transparent black is, where it is seen, what white everywhere would be", async () => {
    for (const [colours, deep] of [
      [3, false],
      [1, true],
    ] as const) {
      const { samples } = await restore(disc(colours, deep, 0, () => 1));
      const stride = colours + 1;
      const all = testPicture({ ...size, colours, deep });
      const white = await restore({ ...all, samples: all.samples.fill(deep ? 65535 : 255) });
      let seen = 0;
      for (let at = 0; at < samples.length; at += stride) {
        if (samples[at + colours] === 0) continue;
        seen++;
        for (let c = 0; c < colours; c++) {
          const difference = samples[at + c]! - white.samples[(at / stride) * colours + c]!;
          expect(
            Math.abs(difference),
            `${colours} colours, deep ${deep}, pixel ${at / stride}`,
          ).toBeLessThanOrEqual(1);
        }
      }
      expect(seen).toBeGreaterThan(150 * factor ** 2);
    }
  });

  test("colours under alpha 0 change nothing that is seen, and stay where the size stays", async () => {
    const colour = (i: number, c: number): number => 0.5 + 0.4 * Math.sin(i * (c + 1));
    const [black, white] = [disc(3, false, 0, colour), disc(3, false, 1, colour)];
    const [a, b] = [await restore(black), await restore(white)];
    for (let at = 0; at < a.samples.length; at += 4) {
      const alpha = a.samples[at + 3]!;
      if (alpha > 0 || factor > 1)
        expect(a.samples.subarray(at, at + 4), `pixel ${at / 4}`).toEqual(b.samples.subarray(at, at + 4));
      else if (!name.startsWith("inpaint") || mask.samples[at / 4] === 0)
        expect([...a.samples.subarray(at, at + 3), ...b.samples.subarray(at, at + 3)]).toEqual([
          ...[0, 0, 0, 255, 255, 255],
        ]);
      if (factor === 1) expect(alpha).toBe(black.samples[at + 3]);
    }
  });

  test("opaque alpha leaves the colours bit for bit as they are without alpha", async () => {
    const plain = testPicture({ ...size, colours: 3, noise: 0.1 });
    const samples = new Uint8Array(4 * size.height * size.width).fill(255);
    for (let i = 0; i < plain.samples.length; i++)
      samples[4 * Math.floor(i / 3) + (i % 3)] = plain.samples[i]!;
    const [with4, with3] = [await restore({ ...plain, alpha: true, samples }), await restore(plain)];
    for (let i = 0; i < with3.samples.length; i++)
      expect(with4.samples[4 * Math.floor(i / 3) + (i % 3)], `sample ${i}`).toBe(with3.samples[i]);
  });
});

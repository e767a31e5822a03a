import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { describe, expect, test } from "vitest";
import type { BfCnnNetwork } from "../nn/bf-cnn-network.ts";
import { initBandUnet } from "../nn/band-unet.ts";
import { localModel, unetModel } from "../systems/parts/local/model.ts";
import type { Picture } from "./picture.ts";
import { conditionalNetwork, randomNetwork, testPicture } from "./pictures.testing.ts";
import { type ConditionalOptions, upscaleConditional } from "./upscale-conditional.ts";

const backend = node({ threads: 1 });

const low: BfCnnNetwork = {
  params: {
    weights: [1, 1].map(() => ({ shape: [1, 1, 1, 1], data: Float32Array.of(1) })),
    gains: [],
  },
  statistics: { deviations: [] },
};
const model = localModel(low, [conditionalNetwork(0), conditionalNetwork(0.05)]);
const upscale = (picture: Picture, factor: number, more: Partial<ConditionalOptions> = {}, of = model) =>
  upscaleConditional(backend, of, picture, factor, { seed: 1, samples: 1, ...more });

describe("upscaleConditional()", () => {
  test.each([
    { colours: 1, alpha: false },
    { colours: 3, alpha: true },
  ] as const)("means of blocks are the picture: $colours colours, alpha $alpha", async (kind) => {
    const small = testPicture({ height: 7, width: 10, ...kind });
    const { picture, deviation } = await upscale(small, 4, { samples: 2 });
    expect([picture.height, picture.width, picture.alpha]).toEqual([28, 40, kind.alpha]);
    expect(deviation?.length).toBe(28 * 40);
    const stride = kind.colours + (kind.alpha ? 1 : 0);
    for (let y = 0; y < 7; y++)
      for (let x = 0; x < 10; x++)
        for (let c = 0; c < kind.colours; c++) {
          let sum = 0;
          for (let i = 0; i < 16; i++)
            sum += picture.samples[((4 * y + (i >> 2)) * 40 + 4 * x + (i & 3)) * stride + c]!;
          const want = small.samples[(y * 10 + x) * stride + c]!;
          // Weighting by alpha moves what is hardly to be seen.
          const seen = kind.alpha ? small.samples[(y * 10 + x) * stride + 3]! / 255 : 1;
          expect(seen * Math.abs(sum / 16 - want), `row ${y}, column ${x}, colour ${c}`).toBeLessThan(0.51);
        }
  });

  test("tiles give what the whole gives", async () => {
    const small = testPicture({ height: 24, width: 30, noise: 0.1 });
    const whole = await upscale(small, 2);
    const tiled = await upscale(small, 2, { tilePixels: 144 });
    for (const [i, value] of whole.picture.samples.entries())
      expect(Math.abs(value - tiled.picture.samples[i]!), `pixel ${i}`).toBeLessThanOrEqual(1);
  });

  test("a sample depends on the seed and its number alone, and the share done rises to 1", async () => {
    const small = testPicture({ height: 6, width: 6 });
    const shares: number[] = [];
    const one = await upscale(small, 2, { onShare: (share) => void shares.push(share) });
    expect((await upscale(small, 2)).picture.samples).toEqual(one.picture.samples);
    expect(shares.every((share, i) => share >= (shares[i - 1] ?? 0) - 0.05 && share <= 1)).toBe(true);
    expect(shares.at(-1)).toBeGreaterThan(0.8);
  });

  test("what it cannot do is refused with a remedy", async () => {
    const small = testPicture({ height: 4, width: 4 });
    await expect(upscale(small, 8)).rejects.toThrow(
      "--factor 8 by --method conditional takes a model of 3 levels or more; this one has 2. Take --factor 4 or less, or " +
        "--method measured, or train a model of more levels (subband train --preset local --levels 3).",
    );
    await expect(upscale(small, 2, {}, localModel(low, []))).rejects.toThrow(
      "this one has 0. Take --method measured,",
    );
    await expect(upscale(small, 3)).rejects.toThrow("factor: 3. Known: 2, 4, 8.");
    const unet = unetModel(
      initBandUnet(rng(1, "conditional-test"), { channels: 1, widths: [4], encoder: [1], decoder: [0] }),
    );
    await expect(upscaleConditional(backend, unet, small, 2, { seed: 1, samples: 1 })).rejects.toThrow(
      "--method conditional takes a multi-scale model with one network a band; this one is a U-Net.",
    );
    const seesNoise = localModel(low, [randomNetwork(2, { inputs: 5, outputs: 3 })]);
    await expect(upscale(small, 2, {}, seesNoise)).rejects.toThrow(
      "--method conditional takes a model that sees details beside a clean low-pass band; this one needs the noisy one, " +
        "too. Train one without --noisy-condition.",
    );
    const huge = { ...small, height: 4000, width: 3000 };
    await expect(upscale(huge, 2)).rejects.toThrow("too large to sample: 48 megapixels");
  });
});

import { rng, UserError } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { afterEach, describe, expect, test } from "vitest";
import { initBandUnet } from "../nn/band-unet.ts";
import { compileDenoiser } from "../systems/parts/local/denoiser.ts";
import { type LocalModel, localModel, unetModel } from "../systems/parts/local/model.ts";
import { arraySource } from "./image-source.ts";
import { randomNetwork } from "./pictures.testing.ts";
import { denoiseToArray, tiledDenoiser, type TiledDenoiser } from "./tiled-denoiser.ts";

const backend = node({ threads: 1, shards: 1 });
const disposables: { dispose(): Promise<void> }[] = [];
afterEach(async () => {
  for (const each of disposables.splice(0)) await each.dispose();
});

const MODELS: Readonly<Record<string, LocalModel>> = {
  flat: localModel(randomNetwork(1, {}), []),
  "flat, colour": localModel(randomNetwork(2, { inputs: 3, outputs: 3 }), []),
  "two levels": localModel(randomNetwork(3, {}), [
    randomNetwork(4, { inputs: 4, outputs: 3 }),
    randomNetwork(5, { inputs: 4, outputs: 3 }),
  ]),
  "one level, colour": localModel(randomNetwork(6, { inputs: 3, outputs: 3 }), [
    randomNetwork(7, { inputs: 12, outputs: 9 }),
  ]),
  "two levels, noisy condition": localModel(randomNetwork(3, {}), [
    randomNetwork(4, { inputs: 5, outputs: 3 }),
    randomNetwork(5, { inputs: 5, outputs: 3 }),
  ]),
  "two levels, db2": localModel(
    randomNetwork(3, {}),
    [randomNetwork(4, { inputs: 4, outputs: 3 }), randomNetwork(5, { inputs: 4, outputs: 3 })],
    "db2",
  ),
  "one level, colour, sym4": localModel(
    randomNetwork(6, { inputs: 3, outputs: 3 }),
    [randomNetwork(7, { inputs: 12, outputs: 9 })],
    "sym4",
  ),
};

async function whole(
  model: LocalModel,
  x: Float32Array,
  shape: readonly [number, number, number, number],
  options: { readonly borders?: "wrap" } = {},
): Promise<Float32Array> {
  const compiled = await compileDenoiser(backend, model, shape, options);
  const { image } = await compiled.run(x);
  const found = image.slice();
  await compiled.dispose();
  return found;
}

function prepared(model: LocalModel, tilePixels: number): TiledDenoiser {
  const denoiser = tiledDenoiser(backend, model, { tilePixels });
  disposables.push(denoiser);
  return denoiser;
}

describe("tiledDenoiser()", () => {
  test.each(["two levels", "flat", "U-Net"])(
    "%s: pictures denoised at once are those denoised one by one, also where one fails; it ends once",
    async (name) => {
      const widths = [4, 4];
      const model =
        MODELS[name] ??
        unetModel(initBandUnet(rng(2, "tiled"), { channels: 1, widths, encoder: [1, 1], decoder: [1, 0] }));
      const tiled = tiledDenoiser(backend, model, { tilePixels: 24 * 24 });
      const sizes = [40, 52, 44, 60, 64, 48, 56, 36, 40]; // more than the programs that are kept
      const pictures = sizes.map((side, i) =>
        arraySource(rng(i, "picture").fillNormal(new Float32Array(side * side)), [1, 1, side, side]),
      );
      const alone: Float32Array[] = [];
      for (const picture of pictures) alone.push(await denoiseToArray(tiled, picture));
      const colour = arraySource(new Float32Array(3), [1, 3, 1, 1]);
      const failing = denoiseToArray(tiled, colour);
      const together = pictures.map((picture) => denoiseToArray(tiled, picture));
      const ended = tiled.dispose();
      await expect(failing).rejects.toThrow(UserError);
      await expect(denoiseToArray(tiled, pictures[0]!)).rejects.toMatchObject({ code: "run/disposed" });
      for (const [i, each] of together.entries()) expect(await each, `picture ${i}`).toEqual(alone[i]);
      await Promise.all([ended, tiled.dispose()]);
    },
  );

  for (const [name, model] of Object.entries(MODELS))
    test(`${name}: tiles equal one run over the whole images`, async () => {
      const shape = [2, model.channels, 44, 72] as const;
      const x = rng(8, "x").fillNormal(new Float32Array(2 * model.channels * 44 * 72));
      const want = await whole(model, x, shape);
      expect(want.some((value, i) => Math.abs(value - x[i]!) > 0.05)).toBe(true);
      const tiled = prepared(model, 20 * 20);
      const shares: number[] = [];
      const found = await denoiseToArray(tiled, arraySource(x, shape), (share) => void shares.push(share));
      expectClose(found, want, { atol: 1e-5, what: name });
      expect(shares.length).toBeGreaterThan(4);
      expect(shares.at(-1)).toBeCloseTo(1, 12);
      expect(shares).toEqual(shares.toSorted((a, b) => a - b));
    });

  for (const [name, model] of [
    ...Object.entries(MODELS),
    [
      "U-Net",
      unetModel(
        initBandUnet(rng(3, "tiled"), { channels: 1, widths: [4, 4], encoder: [1, 1], decoder: [1, 1] }),
      ),
    ],
  ] as const)
    test(`${name}: wanted pixels are right, and little else is made for them`, async () => {
      const [height, width] = [210, 330];
      const shape = [2, model.channels, height, width] as const;
      const x = rng(8, "wanted").fillNormal(new Float32Array(2 * model.channels * height * width));
      const wanted = new Uint8Array(height * width);
      for (let y = 20; y < 40; y++) wanted.fill(1, y * width + 290, y * width + 300);
      wanted[(height - 1) * width + 3] = 1;
      const tiled = prepared(model, model.kind === "unet" ? 128 * 128 : 40 * 40);
      const source = arraySource(x, shape);
      const all = await denoiseToArray(tiled, source);
      const found = await denoiseToArray(tiled, source, undefined, wanted);
      const seen = (values: Float32Array): Float32Array =>
        values.filter((_, i) => wanted[i % wanted.length] === 1);
      expectClose(seen(found), seen(all), { atol: 1e-6, what: name });
      expect(seen(found).some((value, i) => Math.abs(value - seen(x)[i]!) > 0.01)).toBe(true);
      const made = found.reduce((count, value, i) => count + (Math.abs(value - all[i]!) < 1e-6 ? 1 : 0), 0);
      expect(made / found.length, name).toBeLessThan(0.45);
    });

  test("odd extents are continued by mirroring, and the result is cropped", async () => {
    const model = MODELS["two levels"]!;
    const [h, w] = [13, 18];
    const x = rng(9, "x").fillNormal(new Float32Array(h * w));
    const mirrored = Float32Array.from({ length: 16 * 20 }, (_, i) => {
      const [r, c] = [Math.floor(i / 20), i % 20];
      return x[(r < h ? r : 2 * h - 1 - r) * w + (c < w ? c : 2 * w - 1 - c)]!;
    });
    const padded = await whole(model, mirrored, [1, 1, 16, 20]);
    const want = Float32Array.from({ length: h * w }, (_, i) => padded[Math.floor(i / w) * 20 + (i % w)]!);
    const found = await denoiseToArray(prepared(model, 1e4), arraySource(x, [1, 1, h, w]));
    expectClose(found, want, { atol: 1e-5 });
  });

  test("a picture of one pixel has a denoised one", async () => {
    for (const [name, model] of Object.entries(MODELS)) {
      const x = new Float32Array(model.channels).fill(0.5);
      const found = await denoiseToArray(prepared(model, 1e4), arraySource(x, [1, model.channels, 1, 1]));
      expect(found.length, name).toBe(model.channels);
      expect(found.every(Number.isFinite), name).toBe(true);
    }
  });

  test("a U-Net's tiles fade into each other and stay close to the whole", async () => {
    const model = unetModel(
      initBandUnet(rng(1, "unet"), { channels: 1, widths: [4, 4], encoder: [1, 1], decoder: [1, 1] }),
    );
    const shape = [1, 1, 160, 300] as const;
    const x = rng(8, "x").fillNormal(new Float32Array(160 * 300));
    const want = await whole(model, x, shape);
    const found = await denoiseToArray(prepared(model, 160 * 160), arraySource(x, shape));
    // This one sees 28 pixels, less than the margin; but every tile judges the noise, here of deviation 1, by itself.
    expectClose(found, want, { atol: 1e-3 });
  });

  test("a U-Net's tiles see as much of each other by long filters", async () => {
    const network = initBandUnet(rng(1, "unet"), {
      ...{ channels: 1, widths: [4, 4], encoder: [1, 1], decoder: [1, 1] },
    });
    const model = unetModel(network, "sym4");
    const shape = [1, 1, 96, 620] as const;
    const x = rng(8, "x").fillNormal(new Float32Array(96 * 620));
    const want = await whole(model, x, shape);
    const shares: number[] = [];
    const tiled = prepared(model, 1);
    const found = await denoiseToArray(tiled, arraySource(x, shape), (share) => void shares.push(share));
    expect(shares.length, "more than one batch of tiles").toBeGreaterThan(1);
    expectClose(found, want, { atol: 1e-3 });
  });

  test("by wavelets other than Haar odd extents are continued beyond all four borders", async () => {
    const model = MODELS["two levels, db2"]!;
    const [h, w] = [13, 18];
    const margin = 16; // four taps, two levels
    const [tall, wide] = [16 + 2 * margin, 20 + 2 * margin];
    const x = rng(9, "x").fillNormal(new Float32Array(h * w));
    const fold = (at: number, extent: number) => {
      const phase = (((at - margin) % (2 * extent)) + 2 * extent) % (2 * extent);
      return phase < extent ? phase : 2 * extent - 1 - phase;
    };
    const padded = Float32Array.from(
      { length: tall * wide },
      (_, i) => x[fold(Math.floor(i / wide), h) * w + fold(i % wide, w)]!,
    );
    const image = await whole(model, padded, [1, 1, tall, wide], { borders: "wrap" });
    const want = Float32Array.from(
      { length: h * w },
      (_, i) => image[(margin + Math.floor(i / w)) * wide + margin + (i % w)]!,
    );
    const found = await denoiseToArray(prepared(model, 1e4), arraySource(x, [1, 1, h, w]));
    expectClose(found, want, { atol: 1e-5 });
  });

  test("refuses images of other channels", async () => {
    const source = arraySource(new Float32Array(12), [1, 3, 2, 2]);
    await expect(denoiseToArray(prepared(MODELS["flat"]!, 1e4), source)).rejects.toThrow(
      "images of 3 channels; this model takes 1.",
    );
  });
});

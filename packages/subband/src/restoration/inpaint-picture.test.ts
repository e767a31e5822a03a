import { node } from "onnxgrad/node";
import { afterAll, describe, expect, test } from "vitest";
import { localModel } from "../systems/parts/local/model.ts";
import { inpaintPicture } from "./inpaint-picture.ts";
import type { Picture } from "./picture.ts";
import { meanOfNine, testPicture } from "./pictures.testing.ts";
import { type TiledDenoiser, tiledDenoiser } from "./tiled-denoiser.ts";

const denoiser = tiledDenoiser(node({ threads: 1 }), localModel(meanOfNine(), []));
afterAll(() => denoiser.dispose());

/** The denoiser, counting the pixels that it is given. */
function counting(): { readonly denoiser: TiledDenoiser; pixels: number } {
  const counted = {
    pixels: 0,
    denoiser: {
      ...denoiser,
      denoise: async (...[source, emit, onShare, wanted]: Parameters<TiledDenoiser["denoise"]>) => {
        counted.pixels += source.images * source.height * source.width;
        await denoiser.denoise(source, emit, onShare, wanted);
      },
    },
  };
  return counted;
}

const [HEIGHT, WIDTH] = [180, 400];
const picture = testPicture({ height: HEIGHT, width: WIDTH, noise: 0.05 });

/** Specks of 6 x 6 at these corners. */
function maskOf(...corners: readonly (readonly [number, number])[]): Picture {
  const samples = new Uint8Array(HEIGHT * WIDTH);
  for (const [top, left] of corners)
    for (let y = top; y < top + 6; y++) samples.fill(255, y * WIDTH + left, y * WIDTH + left + 6);
  return { ...picture, samples };
}

const [first, second] = [
  [4, 8],
  [170, 390],
] as const;

/** The pixels of a speck. */
function speckOf({ samples }: Picture, [top, left]: readonly [number, number]): number[] {
  return Array.from({ length: 36 }, (_, i) => samples[(top + Math.floor(i / 6)) * WIDTH + left + (i % 6)]!);
}

describe("inpaintPicture()", () => {
  test("of two specks far apart, only the surroundings are gone over, and the first is filled as it is alone", async () => {
    const counted = counting();
    const shares: number[] = [];
    const both = await inpaintPicture(counted.denoiser, picture, maskOf(first, second), {
      onShare: (share) => void shares.push(share),
    });
    // 60 steps over a box of 64 pixels around each, cut at the borders.
    expect(counted.pixels).toBe(60 * (74 * 78 + 74 * 74));
    expect(both.filled).toBe(72);
    const alone = await inpaintPicture(denoiser, picture, maskOf(first));
    expect(speckOf(both.picture, first)).toEqual(speckOf(alone.picture, first));
    // The other is drawn from its surroundings as well: by other noise, so not pixel for pixel.
    const other = await inpaintPicture(denoiser, picture, maskOf(second));
    const [a, b] = [speckOf(both.picture, second), speckOf(other.picture, second)];
    expect(a).not.toEqual(b);
    for (const [i, value] of a.entries()) expect(Math.abs(value - b[i]!), `pixel ${i}`).toBeLessThan(64);
    expect(shares).toHaveLength(120);
    for (let i = 1; i < 120; i++) expect(shares[i]).toBeGreaterThan(shares[i - 1]!);
    expect([shares[59]!, shares[119]]).toEqual([(74 * 78) / (74 * 78 + 74 * 74), 1]);
    const mask = maskOf(first, second);
    expect(both.picture.samples.map((v, i) => (mask.samples[i] === 0 ? v : 0))).toEqual(
      picture.samples.map((v, i) => (mask.samples[i] === 0 ? v : 0)),
    );
  });

  test("along a thin scratch across the picture, only tiles that it touches are gone over, with the same result", async () => {
    const side = 200;
    const large = testPicture({ height: side, width: side, noise: 0.05 });
    const mask = { ...large, samples: new Uint8Array(side * side) };
    for (let y = 20; y < side - 20; y++) mask.samples.fill(255, y * side + y, y * side + y + 2);
    const tiles = tiledDenoiser(node({ threads: 1 }), localModel(meanOfNine(), []), { tilePixels: 24 * 24 });
    const reading = (wantedToo: boolean): { readonly denoiser: TiledDenoiser; pixels: number } => {
      const counted = {
        pixels: 0,
        denoiser: {
          ...tiles,
          denoise: (...[source, emit, onShare, wanted]: Parameters<TiledDenoiser["denoise"]>) =>
            tiles.denoise(
              {
                ...source,
                read(image, y, x, height, width, out) {
                  counted.pixels += height * width;
                  source.read(image, y, x, height, width, out);
                },
              },
              emit,
              onShare,
              wantedToo ? wanted : undefined,
            ),
        },
      };
      return counted;
    };
    const [few, all] = [reading(true), reading(false)];
    const [a, b] = [
      await inpaintPicture(few.denoiser, large, mask),
      await inpaintPicture(all.denoiser, large, mask),
    ];
    await tiles.dispose();
    expect(all.pixels).toBeGreaterThanOrEqual(60 * side * side);
    expect(few.pixels).toBeLessThan(0.6 * all.pixels);
    expect(a.picture.samples).toEqual(b.picture.samples);
    expect(a.picture.samples).not.toEqual(large.samples);
  });

  test("samples and their deviation are put together from all parts", async () => {
    const mask = maskOf(first, second);
    const { deviation, picture: mean } = await inpaintPicture(denoiser, picture, mask, {
      samples: 3,
      sigma: 0.02,
    });
    expect([...deviation!].map((value) => value > 0)).toEqual([...mask.samples].map((value) => value > 0));
    const again = await inpaintPicture(denoiser, picture, mask, { samples: 3, sigma: 0.02 });
    expect(again.picture.samples).toEqual(mean.samples);
  });

  test("what would not fit in memory is refused before any part is begun", async () => {
    const [height, width] = [6100, 6100];
    const large: Picture = {
      ...testPicture({ height: 1, width: 1 }),
      height,
      width,
      samples: new Uint8Array(height * width),
    };
    const mask = { ...large, samples: new Uint8Array(height * width) };
    for (let y = 0; y < height; y += 50) mask.samples[y * width + y] = 255;
    const counted = counting();
    await expect(inpaintPicture(counted.denoiser, large, mask)).rejects.toThrow(
      "too large to sample: 37 megapixels",
    );
    expect(counted.pixels).toBe(0);
  });

  test("marked pixels that are transparent stay so, and that is told; a mark does not colour what is hidden", async () => {
    const size = { height: 40, width: 50 };
    const layer = testPicture({ ...size, colours: 3, alpha: true });
    const mask: Picture = { ...testPicture(size), samples: new Uint8Array(2000) };
    // White to the left, transparent to the right, and a red scratch between them and beyond.
    for (let i = 0; i < 2000; i++) {
      const [y, x] = [Math.floor(i / 50), i % 50];
      const scratched = y >= 18 && y < 21 && x >= 5;
      layer.samples.set([255, scratched ? 0 : 255, scratched ? 0 : 255, x < 25 ? 255 : 0], 4 * i);
      if (scratched) mask.samples[i] = 255;
    }
    const found = await inpaintPicture(denoiser, layer, mask);
    expect(found.notes).toEqual([
      expect.stringMatching(/^75 of the pixels filled in are transparent and stay so/),
    ]);
    const plain = await inpaintPicture(
      denoiser,
      { ...layer, samples: layer.samples.map((_, i) => (i % 4 === 3 ? layer.samples[i]! : 255)) },
      mask,
    );
    for (let i = 0; i < 2000; i++)
      if (i % 50 < 25)
        expect(found.picture.samples.subarray(4 * i, 4 * i + 4), `pixel ${i}`).toEqual(
          plain.picture.samples.subarray(4 * i, 4 * i + 4),
        );
  });
});

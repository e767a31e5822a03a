import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { rng } from "onnxgrad";
import sharp from "sharp";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import {
  encodePng,
  gridPixels,
  imagePixels,
  type PlanarImages,
  saveEach,
  saveGrid,
  toSample,
} from "./sample-grid.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-grid-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Grey images of 1 x 2 pixels whose samples are given as 0..255. */
function grey(...pairs: readonly (readonly [number, number])[]): PlanarImages {
  const data = Float32Array.from(pairs.flat(), (v) => v / 127.5 - 1);
  return { data, n: pairs.length, channels: 1, height: 1, width: 2 };
}

function randomImages(n: number, channels: 1 | 3, height: number, width: number): PlanarImages {
  const data = rng(1, "grid").fillNormal(new Float32Array(n * channels * height * width));
  return { data, n, channels, height, width };
}

async function decode(
  file: Uint8Array | string,
): Promise<{ data: Buffer; channels: number; height: number; width: number }> {
  const { data, info } = await sharp(file).raw().toBuffer({ resolveWithObject: true });
  return { data, channels: info.channels, height: info.height, width: info.width };
}

describe("toSample()", () => {
  test("inverts v / 127.5 - 1 for every sample, also after rounding to float32", () => {
    for (let v = 0; v < 256; v++) expect(toSample(Math.fround(v / 127.5 - 1)), `${v}`).toBe(v);
  });

  test("clips, rounds, and makes NaN black", () => {
    const cases = [
      [-1, 0],
      [1, 255],
      [-7, 0],
      [1.01, 255],
      [Infinity, 255],
      [-Infinity, 0],
      [Number.NaN, 0],
      [0, 128],
      [-0.9999, 0],
    ];
    for (const [v, sample] of cases) expect(toSample(v!), `${v}`).toBe(sample);
  });
});

describe("gridPixels()", () => {
  test("places images row by row, with padding around and between, and the background in the empty place", () => {
    const grid = gridPixels(grey([1, 2], [3, 4], [5, 6]), {
      columns: 2,
      padding: 1,
      scale: 1,
      background: 9,
    });
    expect([grid.height, grid.width, grid.channels]).toEqual([5, 7, 1]);
    expect([...grid.data]).toEqual(
      [
        [9, 9, 9, 9, 9, 9, 9],
        [9, 1, 2, 9, 3, 4, 9],
        [9, 9, 9, 9, 9, 9, 9],
        [9, 5, 6, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9],
      ].flat(),
    );
  });

  test("enlarges every pixel to a square of the same value", () => {
    const grid = gridPixels(grey([10, 20]), { padding: 0, scale: 3 });
    expect([grid.height, grid.width]).toEqual([3, 6]);
    expect([...grid.data]).toEqual([1, 2, 3].flatMap(() => [10, 10, 10, 20, 20, 20]));
  });

  test("puts the planes of a colour image side by side in each pixel", () => {
    const data = Float32Array.from([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12], (v) => v / 127.5 - 1);
    const images: PlanarImages = { data, n: 1, channels: 3, height: 2, width: 2 };
    expect([...gridPixels(images, { padding: 0, scale: 1 }).data]).toEqual([
      1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12,
    ]);
    expect([...imagePixels(images, 0).data]).toEqual([1, 5, 9, 2, 6, 10, 3, 7, 11, 4, 8, 12]);
  });

  test("by default is as square as can be and enlarges small images by whole factors only", () => {
    const sizes = [
      { n: 64, side: 8, scale: 16, columns: 8, rows: 8 },
      { n: 5, side: 32, scale: 4, columns: 3, rows: 2 },
      { n: 7, side: 48, scale: 2, columns: 3, rows: 3 },
      { n: 1, side: 200, scale: 1, columns: 1, rows: 1 },
    ];
    for (const { n, side, scale, columns, rows } of sizes) {
      const { height, width } = gridPixels(randomImages(n, 1, side, side));
      expect([height, width], `${n} of ${side}`).toEqual([
        rows * (side * scale + 2) + 2,
        columns * (side * scale + 2) + 2,
      ]);
    }
  });
});

describe("encodePng(), saveGrid(), saveEach()", () => {
  test.each([1, 3] as const)("decode to the exact pixels, %i channel(s)", async (channels) => {
    const pixels = gridPixels(randomImages(3, channels, 5, 7), { scale: 2 });
    const file = await encodePng(pixels);
    const found = await decode(file);
    expect([found.height, found.width]).toEqual([pixels.height, pixels.width]);
    // A decoder may hand grey back as three equal channels.
    for (let i = 0; i < pixels.height * pixels.width; i++)
      for (let c = 0; c < channels; c++)
        expect(found.data[i * found.channels + c], `pixel ${i}, channel ${c}`).toBe(
          pixels.data[i * channels + c],
        );
    expect((await sharp(file).metadata()).channels).toBe(channels);
  });

  test("files: the grid under its name, images counted from `first`, nothing else", async () => {
    const images = randomImages(2, 3, 4, 6);
    await saveGrid(join(dir, "grid.png"), images, { padding: 1, scale: 1 });
    await saveEach(dir, images, 98);
    expect(readdirSync(dir).sort()).toEqual(["00098.png", "00099.png", "grid.png"]);
    const second = await decode(join(dir, "00099.png"));
    expect([second.height, second.width]).toEqual([4, 6]);
    expect(second.data.equals(imagePixels(images, 1).data)).toBe(true);
    const first = readFileSync(join(dir, "grid.png"));
    await saveGrid(join(dir, "grid.png"), images, { padding: 1, scale: 1 });
    expect(readFileSync(join(dir, "grid.png")).equals(first), "the same picture is the same file").toBe(true);
  });

  test("a folder that is missing is a user error", async () => {
    await expect(saveGrid(join(dir, "missing", "grid.png"), randomImages(1, 1, 2, 2))).rejects.toThrow(
      /^no such folder: /,
    );
  });
});

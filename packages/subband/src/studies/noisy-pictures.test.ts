import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import sharp from "sharp";
import { afterAll, describe, expect, test } from "vitest";
import { smallPicture } from "./narrow-model.testing.ts";
import { addNoise, checkedSigmas, readPictures } from "./noisy-pictures.ts";

const dir = mkdtempSync(join(tmpdir(), "subband-study-pictures-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** A gray picture whose value at (x, y) is 3 x + 5 y modulo 256. */
async function writePicture(name: string, width: number, height: number): Promise<void> {
  const pixels = Uint8Array.from(
    { length: width * height },
    (_, i) => (3 * (i % width) + 5 * Math.floor(i / width)) % 256,
  );
  const png = sharp(pixels, { raw: { width, height, channels: 1 } })
    .toColourspace("b-w")
    .png();
  writeFileSync(join(dir, name), await png.toBuffer());
}

describe("readPictures()", () => {
  test("crops at the centre to multiples of 16, within the size, and passes over what is no picture", async () => {
    await writePicture("a.png", 37, 50);
    await writePicture("b.png", 70, 20);
    await writePicture("small.png", 15, 40);
    writeFileSync(join(dir, "broken.png"), "no picture");
    const pictures = await readPictures(dir, { channels: 1, size: 40 });
    expect(pictures.map(({ name, width, height }) => [name, width, height])).toEqual([
      ["a.png", 32, 32],
      ["b.png", 32, 16],
    ]);
    const [a] = pictures; // 2 columns and 9 rows are left out before
    const [x, y] = [7, 11];
    expect(255 * a!.data[32 * y + x]!).toBeCloseTo((3 * (x + 2) + 5 * (y + 9)) % 256, 4);
  });

  test("says when there are none", async () => {
    const empty = join(dir, "empty");
    mkdirSync(empty);
    await expect(readPictures(empty, { channels: 1, size: 40 })).rejects.toMatchObject({
      code: "study/pictures",
    });
  });
});

describe("addNoise()", () => {
  const picture = smallPicture("a", 64, 64);
  const noise = (name: string, sigma: number, seed: number) =>
    addNoise({ ...picture, name }, sigma, seed).map((v, i) => v - picture.data[i]!);

  test("has the stated deviation and no mean, and is not clipped", () => {
    const z = noise("a", 200, 0).map((v) => v / (200 / 255));
    const n = z.length;
    const mean = z.reduce((a, b) => a + b) / n;
    const variance = z.reduce((a, b) => a + b * b, 0) / n;
    expect(Math.abs(mean)).toBeLessThan(4 / Math.sqrt(n)); // four standard errors
    expect(Math.abs(variance - 1)).toBeLessThan(4 * Math.sqrt(2 / n));
    const noisy = addNoise(picture, 200, 0);
    expect(Math.max(...noisy)).toBeGreaterThan(1.5);
    expect(Math.min(...noisy)).toBeLessThan(-0.5);
  });

  test("is the same for the same seed, picture and level, and another for any other", () => {
    const first = noise("a", 25, 0);
    expect(noise("a", 25, 0)).toEqual(first);
    for (const [what, other] of Object.entries({
      picture: noise("b", 25, 0),
      seed: noise("a", 25, 1),
      level: noise("a", 50, 0).map((v) => v / 2),
    })) {
      const correlation = other.reduce((total, v, i) => total + v * first[i]!, 0);
      const energy = first.reduce((total, v) => total + v * v, 0);
      expect(Math.abs(correlation / energy), `another ${what}`).toBeLessThan(0.1);
    }
  });
});

describe("checkedSigmas()", () => {
  test("sorts, and takes each once", () => {
    expect(checkedSigmas([50, 5, 50, 0.5])).toEqual([0.5, 5, 50]);
  });

  test.each([[[0]], [[-5]], [[Number.NaN]], [[2000]], [[]]])("refuses %j", (sigmas: number[]) => {
    expect(() => checkedSigmas(sigmas)).toThrow(/^noise level: /);
  });
});

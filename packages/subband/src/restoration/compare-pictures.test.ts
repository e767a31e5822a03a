import { readFileSync, rmSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import sharp from "sharp";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { similarity, stripPng } from "./compare-pictures.ts";
import { type Picture, readPicture } from "./picture.ts";
import { testPicture } from "./pictures.testing.ts";

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "subband-compare-"));
});
afterAll(() => {
  rmSync(dir, { recursive: true, force: true });
});

const fixture = (name: string): string => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url));

/** The test picture with an alpha that is 0 in the right half, and other colours there. */
function halfSeen(noise: number, hidden: number): Picture {
  const picture = testPicture({ height: 60, width: 80, colours: 3, alpha: true, noise });
  for (let i = 0; i < 4800; i++) {
    picture.samples[4 * i + 3] = i % 80 < 40 ? 255 : 0;
    if (i % 80 >= 40) picture.samples.fill(hidden, 4 * i, 4 * i + 3);
  }
  return picture;
}

describe("similarity()", () => {
  test("has the PSNR of the noise, at any depth and with alpha", async () => {
    const size = { height: 90, width: 120 };
    const clean = testPicture(size);
    for (const deep of [false, true]) {
      const noisy = testPicture({ ...size, deep, noise: 0.05 });
      const { psnr, ssim } = await similarity(noisy, clean);
      expect(psnr, `deep ${deep}`).toBeCloseTo(-20 * Math.log10(0.05), 0);
      expect(ssim, `deep ${deep}`).toBeLessThan(0.6);
    }
    expect(await similarity(clean, clean)).toEqual({ psnr: Infinity, ssim: 1 });
  });

  test("compares gray with equal colours, and small pictures without SSIM", async () => {
    const gray = testPicture({ height: 8, width: 9 });
    const samples = Uint8Array.from({ length: 3 * 72 }, (_, i) => gray.samples[Math.floor(i / 3)]!);
    expect(await similarity({ ...gray, colours: 3, samples }, gray)).toEqual({ psnr: Infinity });
  });

  test("refuses a reference of another size", async () => {
    const [a, b] = [testPicture({ height: 8, width: 9 }), testPicture({ height: 9, width: 8 })];
    await expect(similarity(a, b)).rejects.toThrow("the reference has 8 x 9 pixels, the result 9 x 8.");
  });

  test("colours under alpha 0 do not count, and that is told", async () => {
    const [black, white] = await Promise.all(
      ["hidden-black.png", "hidden-white.png"].map((name) => readPicture(fixture(name), true)),
    );
    const found = await similarity(black!, white!);
    expect(found).toMatchObject({ psnr: Infinity, ssim: 1 });
    expect(found.notes).toEqual([
      expect.stringMatching(
        /^transparent pixels are left out of PSNR and SSIM, .*: 50\.0 % of the picture in all\.$/,
      ),
    ]);
  });

  test("of a picture half transparent, it is that of the half that is seen, whatever the other hides", async () => {
    const crop = (picture: Picture): Picture => {
      const samples = new Uint8Array(3 * 60 * 40);
      for (let i = 0; i < 2400; i++) {
        const from = 4 * (80 * Math.floor(i / 40) + (i % 40));
        samples.set(picture.samples.subarray(from, from + 3), 3 * i);
      }
      return { ...picture, width: 40, alpha: false, samples };
    };
    const [noisy, clean] = [halfSeen(0.1, 255), halfSeen(0, 0)];
    const [whole, half] = [await similarity(noisy, clean), await similarity(crop(noisy), crop(clean))];
    expect(whole.psnr).toBeCloseTo(half.psnr, 10);
    // Windows across the edge of what is seen count here, too.
    expect(Math.abs(whole.ssim! - half.ssim!)).toBeLessThan(0.03);
    expect((await similarity(halfSeen(0.1, 7), clean)).ssim).toBe(whole.ssim);
  });

  test("alpha itself is not compared, but told; pictures that share nothing visible are refused", async () => {
    const picture = halfSeen(0, 0);
    const opaque = { ...picture, samples: picture.samples.map((v, i) => (i % 4 === 3 ? 255 : v)) };
    const { psnr, notes } = await similarity(opaque, picture);
    expect(psnr).toBe(Infinity);
    expect(notes?.at(-1)).toBe("alpha differs from that of the reference by up to 1.00; it is not compared.");
    const clear = { ...picture, samples: picture.samples.map((v, i) => (i % 4 === 3 ? 0 : v)) };
    expect(
      await similarity(clear, {
        ...clear,
        samples: clear.samples.map((v, i) => (i % 4 === 3 ? 0 : 255 - v)),
      }),
    ).toEqual({
      psnr: Infinity,
      ssim: 1,
      notes: ["both pictures are transparent everywhere, and equal to the eye."],
    });
    const other = { ...picture, samples: picture.samples.map((v, i) => (i % 4 === 3 ? 255 - v : v)) };
    await expect(similarity(other, picture)).rejects.toThrow("no pixel is visible in both");
  });

  test("a picture with a profile equals itself, kept or converted, and another profile of the same colours nearly", async () => {
    // Colours that sRGB holds, so that converting loses nothing but rounding.
    const inside = testPicture({ height: 40, width: 50, colours: 3 });
    const raw = { raw: { height: 40, width: 50, channels: 3 as const } };
    const p3 = await sharp(inside.samples, raw).withIccProfile("p3").png().toBuffer();
    writeFileSync(join(dir, "p3.png"), p3);
    const [kept, converted] = [
      await readPicture(join(dir, "p3.png"), true),
      await readPicture(join(dir, "p3.png"), false),
    ];
    expect(kept.profile).toBeDefined();
    expect(await similarity(kept, { ...kept, profile: kept.profile!.slice() })).toEqual({
      psnr: Infinity,
      ssim: 1,
    });
    expect(kept.samples).not.toEqual(converted.samples);
    for (const [a, b] of [
      [kept, converted],
      [converted, kept],
    ] as const)
      expect(await similarity(a, b)).toMatchObject({
        psnr: Infinity,
        notes: ["compared in sRGB, because the colour profiles differ."],
      });
    // The picture that was tagged is the same colours in sRGB, rounded once more.
    expect((await similarity(kept, inside)).psnr).toBeGreaterThan(45);
  });

  test("PSNR of a flat Display P3 picture against its right value in sRGB is high", async () => {
    const p3 = await readPicture(fixture("c8-p3.png"), true);
    const samples = Uint8Array.from({ length: p3.height * p3.width * 3 }, (_, i) => [216, 69, 51][i % 3]!);
    const { height, width } = p3;
    const right: Picture = { height, width, colours: 3, alpha: false, samples, notes: [] };
    expect((await similarity(p3, right)).psnr).toBeGreaterThan(45);
  });
});

describe("stripPng()", () => {
  test("puts pictures of any kind side by side, with white between, transparency on white", async () => {
    const gray = testPicture({ height: 6, width: 5 });
    const deep = testPicture({ height: 6, width: 5, colours: 3, alpha: true, deep: true });
    const { data, info } = await sharp(await stripPng([gray, deep]))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 18, height: 6, channels: 3 });
    for (let y = 0; y < 6; y++)
      for (let x = 0; x < 18; x++)
        for (let c = 0; c < 3; c++) {
          const at = 4 * (y * 5 + x - 13);
          const alpha = deep.samples[at + 3]! / 65535;
          const want =
            x < 5
              ? gray.samples[y * 5 + x]!
              : x < 13
                ? 255
                : Math.round((alpha * deep.samples[at + c]!) / 257 + 255 * (1 - alpha));
          expect(data[3 * (y * 18 + x) + c], `row ${y}, column ${x}, channel ${c}`).toBe(want);
        }
  });

  test("shows a picture with a profile in sRGB", async () => {
    const p3 = await readPicture(fixture("c8-p3.png"), true);
    const { data } = await sharp(await stripPng([p3]))
      .raw()
      .toBuffer({ resolveWithObject: true });
    for (const [c, want] of [216, 69, 51].entries()) expect(Math.abs(data[c]! - want)).toBeLessThanOrEqual(1);
    expect((await sharp(readFileSync(fixture("c8-p3.png"))).metadata()).icc).toBeDefined();
  });

  test("hidden colours do not show in a written strip", async () => {
    const strips = await Promise.all([halfSeen(0, 0), halfSeen(0, 255)].map((each) => stripPng([each])));
    expect(Buffer.from(strips[0]!).equals(strips[1]!)).toBe(true);
  });
});

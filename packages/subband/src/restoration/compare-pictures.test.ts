import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { similarity, stripPng } from "./compare-pictures.ts";
import { testPicture } from "./test-pictures.ts";

describe("similarity()", () => {
  test("has the PSNR of the noise, at any depth and with alpha", () => {
    const size = { height: 90, width: 120 };
    const clean = testPicture(size);
    for (const deep of [false, true]) {
      const noisy = testPicture({ ...size, deep, noise: 0.05 });
      const { psnr, ssim } = similarity(noisy, clean);
      expect(psnr, `deep ${deep}`).toBeCloseTo(-20 * Math.log10(0.05), 0);
      expect(ssim, `deep ${deep}`).toBeLessThan(0.6);
    }
    expect(similarity(clean, clean)).toEqual({ psnr: Infinity, ssim: 1 });
  });

  test("compares gray with equal colours, and small pictures without SSIM", () => {
    const gray = testPicture({ height: 8, width: 9 });
    const samples = Uint8Array.from({ length: 3 * 72 }, (_, i) => gray.samples[Math.floor(i / 3)]!);
    expect(similarity({ ...gray, colours: 3, samples }, gray)).toEqual({ psnr: Infinity });
  });

  test("refuses a reference of another size", () => {
    const [a, b] = [testPicture({ height: 8, width: 9 }), testPicture({ height: 9, width: 8 })];
    expect(() => similarity(a, b)).toThrow("the reference has 8 x 9 pixels, the result 9 x 8.");
  });
});

describe("stripPng()", () => {
  test("puts pictures of any kind side by side, with white between", async () => {
    const gray = testPicture({ height: 6, width: 5 });
    const deep = testPicture({ height: 6, width: 5, colours: 3, alpha: true, deep: true });
    const { data, info } = await sharp(await stripPng([gray, deep]))
      .raw()
      .toBuffer({ resolveWithObject: true });
    expect(info).toMatchObject({ width: 18, height: 6, channels: 3 });
    for (let y = 0; y < 6; y++)
      for (let x = 0; x < 18; x++)
        for (let c = 0; c < 3; c++) {
          const want =
            x < 5
              ? gray.samples[y * 5 + x]!
              : x < 13
                ? 255
                : Math.round(deep.samples[4 * (y * 5 + x - 13) + c]! / 257);
          expect(data[3 * (y * 18 + x) + c], `row ${y}, column ${x}, channel ${c}`).toBe(want);
        }
  });
});

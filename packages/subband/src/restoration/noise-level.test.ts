import { describe, expect, test } from "vitest";
import { estimateNoise } from "./noise-level.ts";
import { testPicture } from "./pictures.testing.ts";

describe("estimateNoise()", () => {
  test("finds the noise of smooth pictures within 4 %, at any depth, with colours and alpha", () => {
    for (const colours of [1, 3] as const)
      for (const deep of [false, true])
        for (const noise of [0.01, 0.05, 0.1]) {
          const picture = testPicture({ height: 199, width: 301, colours, alpha: deep, deep, noise });
          const what = `${colours} colours, deep ${deep}, noise ${noise}`;
          expect(estimateNoise(picture) / noise, what).toBeGreaterThan(0.96);
          expect(estimateNoise(picture) / noise, what).toBeLessThan(1.04);
        }
  });

  test("counts what is seen, by its alpha: noise under alpha 0 is none, and quiet under it hides none", () => {
    const seen = (x: number): boolean => x < 90;
    for (const [visible, hidden] of [
      [0.05, 0.5],
      [0.05, 0],
      [0.01, 0.2],
    ] as const) {
      const [a, b] = [visible, hidden].map((noise) =>
        testPicture({ height: 199, width: 301, colours: 3, alpha: true, noise }),
      );
      for (let i = 0; i < 199 * 301; i++) {
        if (!seen(i % 301)) a!.samples.set(b!.samples.subarray(4 * i, 4 * i + 3), 4 * i);
        a!.samples[4 * i + 3] = seen(i % 301) ? 255 : 0;
      }
      const found = estimateNoise(a!) / visible;
      expect(found, `${visible} seen, ${hidden} hidden`).toBeGreaterThan(0.94);
      expect(found, `${visible} seen, ${hidden} hidden`).toBeLessThan(1.06);
      const clear = { ...a!, samples: a!.samples.map((v, i) => (i % 4 === 3 ? 0 : v)) };
      expect(estimateNoise(clear)).toBe(0);
    }
  });

  test("is below half a step of 8 bits for a picture without noise, and 0 without a block", () => {
    expect(estimateNoise(testPicture({ height: 64, width: 64 }))).toBeLessThan(0.5 / 255);
    expect(estimateNoise(testPicture({ height: 1, width: 64, noise: 0.1 }))).toBe(0);
  });
});

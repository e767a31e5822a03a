import { describe, expect, test } from "vitest";
import { estimateNoise } from "./noise-level.ts";
import { testPicture } from "./test-pictures.ts";

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

  test("is below half a step of 8 bits for a picture without noise, and 0 without a block", () => {
    expect(estimateNoise(testPicture({ height: 64, width: 64 }))).toBeLessThan(0.5 / 255);
    expect(estimateNoise(testPicture({ height: 1, width: 64, noise: 0.1 }))).toBe(0);
  });
});

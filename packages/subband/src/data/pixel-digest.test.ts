import { describe, expect, test } from "vitest";
import { rng } from "onnxgrad";
import { pixelDigest } from "./pixel-digest.ts";

const noise = (length: number): Uint8Array => {
  const random = rng(3, "noise");
  return Uint8Array.from({ length }, () => random.uint32() >>> 24);
};

describe("pixelDigest()", () => {
  test("is the same for copies, in grey and in grey stored as colour, and another for any other picture", () => {
    for (const count of [1, 100, 5000, 300_000, 1_000_000]) {
      const grey = noise(count);
      const colour = grey.reduce((out, v, i) => out.fill(v, 3 * i, 3 * i + 3), new Uint8Array(3 * count));
      const what = `${count} pixels`;
      expect(pixelDigest(grey.slice(), 1, "a"), what).toBe(pixelDigest(grey, 1, "a"));
      expect(pixelDigest(colour, 3, "a"), what).toBe(pixelDigest(grey, 1, "a"));
      expect(pixelDigest(grey, 1, "b"), what).not.toBe(pixelDigest(grey, 1, "a"));
      expect(pixelDigest(grey.slice(1), 1, "a"), what).not.toBe(pixelDigest(grey, 1, "a"));
      const other = noise(count)
        .fill(0, 0, 1)
        .fill(255, count - 1);
      expect(pixelDigest(other, 1, "a"), what).not.toBe(pixelDigest(grey, 1, "a"));
    }
  });
});

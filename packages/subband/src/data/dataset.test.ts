import { describe, expect, test } from "vitest";
import { expectClose } from "onnxgrad/testing";
import { createDataset, type Dataset, requireImages } from "./dataset.ts";
import { describeSkipped } from "./skipped.ts";

function dataset(pixels: number[], channels: 1 | 3, height: number, width: number): Dataset {
  return createDataset({
    name: "t",
    channels,
    height,
    width,
    pixels: Uint8Array.from(pixels),
    licence: "",
    credit: "",
    skipped: { animated: 2 },
    fingerprint: "",
  });
}

describe("createDataset()", () => {
  test("read() maps 0, 51, 204, 255 to -1, -0.6, 0.6, 1 at the offset", () => {
    const into = new Float32Array(6).fill(9);
    dataset([7, 7, 7, 7, 0, 51, 204, 255], 1, 2, 2).read(1, false, into, 1);
    expectClose(into, [9, -1, -0.6, 0.6, 1, 9]);
  });

  test("read() with flip mirrors every row of every channel", () => {
    const pixels = Array.from({ length: 3 * 2 * 4 }, (_, i) => 10 * i);
    const set = dataset(pixels, 3, 2, 4);
    const plain = new Float32Array(24);
    const flipped = new Float32Array(24);
    set.read(0, false, plain, 0);
    set.read(0, true, flipped, 0);
    const mirrored = Array.from({ length: 24 }, (_, i) => plain[4 * Math.floor(i / 4) + 3 - (i % 4)]!);
    expectClose(flipped, mirrored);
    expect(flipped).not.toEqual(plain);
  });

  test("refuses an image out of range and a buffer too small", () => {
    const set = dataset([1, 2], 1, 1, 2);
    expect(() => set.read(1, false, new Float32Array(2), 0)).toThrow("image 1 of 1");
    expect(() => set.read(0, false, new Float32Array(2), 1)).toThrow("2 samples at 1 of 2");
  });
});

describe("requireImages()", () => {
  test("names the set, its count and what was skipped", () => {
    const set = dataset([1, 2], 1, 1, 2);
    expect(() => requireImages(set, 1)).not.toThrow();
    expect(() => requireImages(set, 2)).toThrow(
      'too few images: "t" has 1 (skipped: 2 animated); at least 2 are needed.',
    );
    expect(() => requireImages(set, 2)).toThrow(expect.objectContaining({ code: "data/too-few" }));
  });
});

test("describeSkipped() lists reasons, or none", () => {
  expect(describeSkipped({})).toBe("none");
  expect(describeSkipped({ animated: 3, "empty file": 1 })).toBe("3 animated, 1 empty file");
});

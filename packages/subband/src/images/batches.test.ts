import { describe, expect, test } from "vitest";
import { batchIndices, fillBatch } from "./batches.ts";
import { createDataset } from "../data/dataset.ts";

/** The first `n` (image, flip) pairs of a run, cut into batches of `size`. */
function sequence(seed: number, n: number, size: number, count: number): [number, number][] {
  const pairs: [number, number][] = [];
  for (let seen = 0; seen < n; seen += size) {
    const { indices, flips } = batchIndices(seed, seen, size, count, { flip: true });
    indices.forEach((index, i) => pairs.push([index, flips[i]!]));
  }
  return pairs.slice(0, n);
}

describe("batchIndices()", () => {
  test("every epoch visits each image exactly once, in an order of its own", () => {
    const count = 37;
    const order = sequence(5, 3 * count, 10, count).map(([index]) => index);
    const epochs = [0, 1, 2].map((e) => order.slice(e * count, (e + 1) * count));
    for (const epoch of epochs)
      expect(epoch.toSorted((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, i) => i));
    expect(epochs[0]).not.toEqual(epochs[1]);
    expect(epochs[1]).not.toEqual(epochs[2]);
  });

  test("does not depend on how the run is cut into batches, nor on where it resumes", () => {
    const whole = sequence(5, 200, 1, 37);
    for (const size of [2, 7, 64, 100]) expect(sequence(5, 200, size, 37), `batch ${size}`).toEqual(whole);
    const resumed = batchIndices(5, 150, 50, 37, { flip: true });
    expect([...resumed.indices]).toEqual(whole.slice(150).map(([index]) => index));
    expect([...resumed.flips]).toEqual(whole.slice(150).map(([, flip]) => flip));
  });

  test("a batch may be larger than the whole set", () => {
    const { indices } = batchIndices(0, 0, 10, 3);
    expect([...indices.slice(0, 9)].toSorted()).toEqual([0, 0, 0, 1, 1, 1, 2, 2, 2]);
  });

  test("another seed is another order; without flip nothing is mirrored", () => {
    expect(batchIndices(1, 0, 50, 50).indices).not.toEqual(batchIndices(2, 0, 50, 50).indices);
    expect([...batchIndices(1, 0, 50, 50).flips]).toEqual(new Array(50).fill(0));
  });

  test("half of the images are mirrored, and an image not alike in every epoch", () => {
    const pairs = sequence(3, 4000, 64, 100);
    const flips = pairs.reduce((sum, [, flip]) => sum + flip, 0);
    expect(Math.abs(flips - 2000)).toBeLessThan(4 * Math.sqrt(1000)); // 4 sigma of Binomial(4000, 1/2)
    const ofImage = pairs.filter(([index]) => index === 7).map(([, flip]) => flip);
    expect(new Set(ofImage).size).toBe(2);
  });
});

test("fillBatch() places image i at i * c * h * w", () => {
  const pixels = Uint8Array.from({ length: 5 * 4 }, (_, i) => 51 * Math.floor(i / 4));
  const contents = { name: "t", licence: "", credit: "", skipped: {}, fingerprint: "" };
  const set = createDataset({ ...contents, channels: 1, height: 2, width: 2, pixels });
  const batch = batchIndices(9, 3, 4, 5);
  const out = fillBatch(set, batch, new Float32Array(16));
  const want = [...batch.indices].flatMap((index) =>
    new Array<number>(4).fill(Math.fround((51 * index) / 127.5 - 1)),
  );
  expect([...out]).toEqual(want);
  expect(() => fillBatch(set, batch, new Float32Array(15))).toThrow("batch buffer of 15");
});

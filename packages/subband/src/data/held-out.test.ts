import { describe, expect, test } from "vitest";
import type { ImageSource } from "../images/image-source.ts";
import { createDataset, type Dataset } from "./dataset.ts";
import { heldOutCount, splitDataset, wholePicturesCount } from "./held-out.ts";

/** Images of one pixel, whose value is their number. */
function numbered(count: number): Dataset {
  return createDataset({
    name: "numbers",
    channels: 1,
    height: 1,
    width: 1,
    pixels: Uint8Array.from({ length: count }, (_, i) => i),
    licence: "none",
    credit: "none",
    skipped: {},
    fingerprint: "numbers",
  });
}

/** The numbers of the images of a source, in its order. */
function numbersOf(source: ImageSource): number[] {
  const pixel = new Float32Array(1);
  return Array.from({ length: source.count }, (_, i) => {
    source.read(i, false, pixel, 0);
    return Math.round((pixel[0]! + 1) * 127.5);
  });
}

const ascending = (a: number, b: number): number => a - b;

describe("heldOutCount()", () => {
  test("is 2 %, at most 256, and nothing of a small set", () => {
    const counts = [2, 49, 50, 99, 100, 4096, 12_799, 12_800, 50_000, 10_000_000];
    expect(counts.map(heldOutCount)).toEqual([0, 0, 1, 1, 2, 81, 255, 256, 256, 256]);
  });
});

/** Images of one pixel whose value is their number, cut from pictures of so many images each, in a row. */
function cut(...sizes: number[]): Dataset {
  const count = sizes.reduce((a, b) => a + b);
  const pictures = Uint32Array.from(sizes.flatMap((size, picture) => Array<number>(size).fill(picture)));
  return createDataset({ ...numbered(count), pictures });
}

describe("wholePicturesCount()", () => {
  test("is that of single images where every image is a picture", async () => {
    for (const count of [2, 49, 50, 250]) {
      const wanted = heldOutCount(count);
      expect(await wholePicturesCount(numbered(count))).toBe(wanted);
      // The same images as in runs that held out by image.
      expect(numbersOf((await splitDataset(numbered(count), wanted, "pictures")).heldOut)).toEqual(
        numbersOf((await splitDataset(numbered(count), wanted, "images")).heldOut),
      );
    }
  });

  test("is at least a fiftieth in whole pictures, and never more than a third", async () => {
    expect(await wholePicturesCount(cut(...Array<number>(25).fill(10)))).toBe(10);
    expect(await wholePicturesCount(cut(40, 40, 40))).toBe(40);
    expect(await wholePicturesCount(cut(100, 100))).toBe(0);
    expect(await wholePicturesCount(cut(200, 3, 3))).toBe(6);
    expect(
      await wholePicturesCount(cut(200, 20, 20, 3)),
      "a small picture rather than a large one",
    ).toBeLessThan(24);
  });
});

describe("splitDataset()", () => {
  test("by pictures shares no picture between the parts, and is found again from the number alone", async () => {
    for (const sizes of [Array<number>(25).fill(10), [40, 40, 40], [90, 1, 2, 3, 100, 20, 7], [3, 200, 3]]) {
      const dataset = cut(...sizes);
      const count = await wholePicturesCount(dataset);
      const { training, heldOut } = await splitDataset(dataset, count, "pictures");
      const pictures = (source: ImageSource) => new Set(numbersOf(source).map((i) => dataset.pictures![i]));
      const what = sizes.join(" ");
      expect(heldOut.count, what).toBe(count);
      expect(training.count, what).toBe(dataset.count - count);
      expect(
        [...pictures(training)].filter((i) => pictures(heldOut).has(i)),
        what,
      ).toEqual([]);
      expect(pictures(training).size + pictures(heldOut).size, what).toBe(sizes.length);
    }
  });

  test("keeps copies of an image on the same side", async () => {
    // 60 images, in pairs of the same value.
    const dataset = createDataset({
      ...numbered(0),
      pixels: Uint8Array.from({ length: 60 }, (_, i) => i % 30),
    });
    const count = await wholePicturesCount(dataset);
    expect(count).toBe(2);
    const { training, heldOut } = await splitDataset(dataset, count, "pictures");
    const [first, second] = numbersOf(heldOut);
    expect(first).toBe(second);
    expect(numbersOf(training)).not.toContain(first);
    // In a run of before, the copy of an image that is held out may be trained on.
    expect((await splitDataset(dataset, 2, "images")).heldOut.count).toBe(2);
  });

  test("puts every image into exactly one part, whatever the sizes", async () => {
    for (const [count, heldOut] of [
      [2, 1],
      [50, 1],
      [200, 4],
      [250, 249],
    ] as const) {
      const split = await splitDataset(numbered(count), heldOut);
      const grid = `${heldOut} of ${count}`;
      expect([split.heldOut.count, split.training.count], grid).toEqual([heldOut, count - heldOut]);
      const all = [...numbersOf(split.heldOut), ...numbersOf(split.training)].sort(ascending);
      expect(all, grid).toEqual(Array.from({ length: count }, (_, i) => i));
      expect(numbersOf(split.training), `${grid}: the data set's own order`).toEqual(
        numbersOf(split.training).sort(ascending),
      );
    }
  });

  test("is the same every time, and takes its images from all over the set", async () => {
    const first = numbersOf((await splitDataset(numbered(240), 24)).heldOut);
    expect(numbersOf((await splitDataset(numbered(240), 24)).heldOut)).toEqual(first);
    // A folder is sorted: each quarter of it should be represented. Missing one has a chance of 4 * 0.75^24 = 0.4 %.
    expect(new Set(first.map((number) => Math.floor(number / 60))).size).toBe(4);
  });

  test("with nothing held out, training is the data set itself and scores look at its images", async () => {
    const dataset = numbered(200);
    const { training, heldOut } = await splitDataset(dataset, 0);
    expect(training).toBe(dataset);
    expect(numbersOf(heldOut).sort(ascending)).toEqual(numbersOf(dataset));
  });

  test("mirrors and writes where it is told, as the data set does", async () => {
    const { pixels, ...rest } = numbered(8);
    const dataset = createDataset({ ...rest, width: 4, pixels });
    const { training } = await splitDataset(dataset, 1);
    const into = new Float32Array(5);
    training.read(0, true, into, 1);
    const plain = new Float32Array(5);
    training.read(0, false, plain, 1);
    expect(into[0]).toBe(0);
    expect([...into.subarray(1)]).toEqual([...plain.subarray(1)].reverse());
  });
});

test("images take their classes along", async () => {
  const labels = Uint8Array.from({ length: 100 }, (_, i) => i % 7);
  const dataset = createDataset({ ...numbered(100), labels });
  const { training, heldOut } = await splitDataset(dataset, await wholePicturesCount(dataset));
  for (const part of [training, heldOut])
    expect([...part.labels!]).toEqual(numbersOf(part).map((number) => number % 7));
});

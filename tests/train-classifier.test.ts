/** @module The training of the classifier whose features ship, on a source that is made here. */
import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { fillMoved } from "../examples/classifier/moved-batch.ts";
import { accuracy, classifierModel, trainClassifier } from "../examples/classifier/train.ts";
import { onnxFeatures } from "../packages/subband/src/evaluation/features/onnx-features.ts";
import type { ImageSource } from "../packages/subband/src/images/image-source.ts";

const SIDE = 16;
const SIZE = 3 * SIDE * SIDE;

/** Noisy stripes, across (class 0) or upright (class 1), of any phase; image i is a function of i. */
const stripes: ImageSource = {
  ...{ channels: 3, height: SIDE, width: SIDE, count: 64 },
  labels: Uint8Array.from({ length: 64 }, (_, i) => i % 2),
  read(index, flip, into, offset) {
    const random = rng(3, "stripes", index);
    const phase = 2 * Math.PI * random.uniform();
    for (let i = 0; i < SIZE; i++) {
      const [y, column] = [Math.floor(i / SIDE) % SIDE, i % SIDE];
      const x = flip ? SIDE - 1 - column : column;
      into[offset + y * SIDE + column + Math.floor(i / SIDE ** 2) * SIDE ** 2] =
        0.5 * Math.sin((Math.PI / 2) * (index % 2 === 0 ? y : x) + phase) + 0.2 * random.normal();
    }
  },
};

describe("fillMoved()", () => {
  test("moves and mirrors whole images over grey, by up to 4 pixels, and spreads a tenth of a target", () => {
    /** Image i holds 1 + (row, column) of each pixel, so that its origin can be told. */
    const places: ImageSource = {
      ...{ channels: 1, height: SIDE, width: SIDE, count: 5, labels: Uint8Array.of(0, 1, 2, 3, 3) },
      read(index, flip, into, offset) {
        for (let i = 0; i < SIDE ** 2; i++) {
          const x = flip ? SIDE - 1 - (i % SIDE) : i % SIDE;
          into[offset + i] = 1 + index + 10 * (SIDE * Math.floor(i / SIDE) + x);
        }
      },
    };
    const batch = { images: new Float32Array(40 * SIDE ** 2), targets: new Float32Array(40 * 4) };
    fillMoved(places, { seed: 1, seen: 0 }, batch);
    const seen = { shifts: new Set<string>(), flips: new Set<boolean>(), indices: new Map<number, number>() };
    for (let i = 0; i < 40; i++) {
      const image = batch.images.subarray(i * SIDE ** 2, (i + 1) * SIDE ** 2);
      const at = (y: number, x: number) => Math.floor((image[y * SIDE + x]! - 1) / 10);
      // The middle is always there: what it holds tells shift, mirroring and image.
      const index = (image[8 * SIDE + 8]! - 1) % 10;
      const flip = at(8, 9) < at(8, 8);
      const source = new Float32Array(SIDE ** 2);
      places.read(index, flip, source, 0);
      const from = source.indexOf(image[8 * SIDE + 8]!);
      const [dy, dx] = [Math.floor(from / SIDE) - 8, (from % SIDE) - 8];
      expect(Math.max(Math.abs(dy), Math.abs(dx))).toBeLessThanOrEqual(4);
      const want = Float32Array.from({ length: SIDE ** 2 }, (_, k) => {
        const [y, x] = [Math.floor(k / SIDE) + dy, (k % SIDE) + dx];
        return y < 0 || y >= SIDE || x < 0 || x >= SIDE ? 0 : source[y * SIDE + x]!;
      });
      expectClose(image, want, { what: `image ${i}` });
      const target = Array.from({ length: 4 }, (_, k) => 0.025 + (k === places.labels![index] ? 0.9 : 0));
      expectClose(batch.targets.subarray(4 * i, 4 * i + 4), target, { rtol: 1e-6 });
      seen.shifts.add(`${dy},${dx}`);
      seen.flips.add(flip);
      seen.indices.set(index, (seen.indices.get(index) ?? 0) + 1);
    }
    expect([...seen.indices.values()]).toEqual([8, 8, 8, 8, 8]);
    expect(seen.flips.size).toBe(2);
    expect(seen.shifts.size).toBeGreaterThan(20);
  });
});

describe("trainClassifier()", () => {
  test("learns to tell stripes, and its file gives the same classes and features of any batch", async () => {
    const backend = node({ threads: 1 });
    const config = { channels: 3, classes: 2, widths: [4, 4, 8, 8] } as const;
    const losses: number[] = [];
    const trained = await trainClassifier(stripes, {
      ...{ backend, config, epochs: 12, batch: 16, rate: 0.1, seed: 0 },
      onStep: (_, __, loss) => losses.push(loss),
    });
    expect(losses).toHaveLength(48);
    expect(losses.at(-1)!).toBeLessThan(0.5 * losses[0]!);
    // Batches of 24 do not divide the 64 images.
    expect(await accuracy(backend, trained, stripes, 24)).toBeGreaterThan(0.95);

    const bytes = classifierModel("stripes", trained, [3, SIDE, SIDE], {});
    const pixels = new Float32Array(64 * SIZE);
    for (let i = 0; i < 64; i++) stripes.read(i, false, pixels, i * SIZE);
    const shape = { channels: 3, height: SIDE, width: SIDE } as const;
    const rowsOf = async (layer: string, batch: number) => {
      const open = await (await onnxFeatures(bytes, { layer })).open(backend, batch);
      const rows = await open.extract(pixels, shape, 64);
      await open.dispose();
      return rows;
    };
    const [logits, features] = [await rowsOf("logits", 10), await rowsOf("features", 64)];
    const right = Array.from(stripes.labels!).filter(
      (label, i) => (logits[2 * i + 1]! > logits[2 * i]! ? 1 : 0) === label,
    );
    expect(right.length / 64).toBeGreaterThan(0.95);
    const { weight, bias } = trained.tree().params.tree.classes;
    const linear = Float64Array.from({ length: 128 }, (_, k) => {
      const products = Array.from(
        { length: 8 },
        (__, j) => features[8 * (k >> 1) + j]! * weight.data[2 * j + (k & 1)]!,
      );
      return products.reduce((a, b) => a + b, bias.data[k & 1]!);
    });
    expectClose(logits, linear, { rtol: 1e-4, atol: 1e-4 });
  });
});

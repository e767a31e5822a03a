import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { leaves } from "./leaves.testing.ts";
import { specks, speckSums } from "./specks.ts";

const SIDE = 32;
const COUNT = 400;
const image = { channels: 1, height: SIDE, width: SIDE } as const;
const real = leaves(1, COUNT, SIDE);
const other = leaves(2, COUNT, SIDE);
const sums = speckSums(image);
const metric = specks(image, sums.add(sums.start(), real, COUNT));
const ratio = (pictures: Float32Array): number =>
  metric.result(metric.add(metric.start(), pictures, COUNT)).ratio;

/** With a share of the pixels replaced by any others. */
function replaced(pictures: Float32Array, share: number): Float32Array {
  const random = rng(3, "replaced");
  return pictures.map((value) => {
    const [chance, grey] = [random.uniform(), 2 * random.uniform() - 1];
    return chance < share ? grey : value;
  });
}

function blurred(pictures: Float32Array): Float32Array {
  return pictures.map((value, i) => {
    const x = i % SIDE;
    return (value + (x > 0 ? pictures[i - 1]! : value) + (x < SIDE - 1 ? pictures[i + 1]! : value)) / 3;
  });
}

describe("specks()", () => {
  test("of real pictures are 1; the more pixels are replaced, and the stronger noise is, the more they are", () => {
    const plain = ratio(other);
    // Standard error of 400 pictures, by halves of them: 0.05.
    expect(Math.abs(plain - 1)).toBeLessThan(0.15);
    for (const ways of [
      [0.005, 0.01, 0.02, 0.04].map((share) => replaced(other, share)),
      [0.01, 0.02, 0.04].map((deviation) => {
        const random = rng(4, "noise");
        return other.map((value) => value + deviation * random.normal());
      }),
    ]) {
      const ratios = [plain, ...ways.map(ratio)];
      for (let i = 1; i < ratios.length; i++)
        expect(ratios[i]! / ratios[i - 1]!, `step ${i} of ${ratios.join(", ")}`).toBeGreaterThan(1.15);
    }
  });

  test("blur is no speck, nor is more texture, nor are more or stronger edges", () => {
    expect(ratio(blurred(other))).toBeLessThan(1);
    const stripes = other.map((value, i) => value + (((i % SIDE) + Math.floor(i / SIDE)) % 4) * 0.1);
    expect(ratio(stripes)).toBeLessThan(1.15);
    const edges = other.map(
      (value, i) => value + ((i % SIDE) + 2 * (Math.floor(i / SIDE) % SIDE) < 40 ? 0.5 : 0),
    );
    expect(ratio(edges)).toBeLessThan(1.15);
  });

  test("one pixel in a plain picture has its own height, wherever it lies but at the border; edges and lines have none", () => {
    const [side, height] = [16, 0.5];
    const square = { channels: 1, height: side, width: side } as const;
    const heights = (paint: (x: number, y: number) => boolean): number => {
      const picture = Float32Array.from({ length: side * side }, (_, i) =>
        paint(i % side, Math.floor(i / side)) ? height : 0,
      );
      const of = speckSums(square);
      const found = of.add(of.start(), picture, 1);
      return found.subarray(3, 6).reduce((a, b) => a + b, 0);
    };
    for (const [x, y] of [
      [1, 1],
      [7, 8],
      [14, 5],
    ])
      expectClose([heights((u, v) => u === x && v === y)], [height], { what: `pixel at ${x}, ${y}` });
    expect(heights((x) => x > 6)).toBe(0);
    expect(heights((x) => x === 6)).toBe(0);
    expect(heights((x, y) => x === y)).toBe(0);
    expect(heights((x, y) => x + 2 * y > 20)).toBe(0);
  });

  test("parts, merged or read back from arrays, give what the whole gives", () => {
    const half = (COUNT / 2) * SIDE * SIDE;
    const [a, b] = [other.subarray(0, half), other.subarray(half)].map((part) =>
      metric.decode(metric.encode(metric.add(metric.start(), part, COUNT / 2))),
    );
    const whole = metric.result(metric.add(metric.start(), other, COUNT));
    const merged = metric.result(metric.merge(a!, b!));
    expectClose([merged.ratio, merged.smooth], [whole.ratio, whole.smooth], { rtol: 1e-12 });
    expect(whole.smoothReal).toBeGreaterThan(0.05);
  });

  test("refuses pictures of another size, and too small ones", () => {
    expect(() => metric.add(metric.start(), real, COUNT - 1)).toThrow("pictures of 1 x 32 x 32");
    expect(() => metric.decode(new Map())).toThrow('"sums" is missing');
    expect(() => specks(image, new Float64Array(3))).toThrow("Compare pictures of one size");
    expect(() => speckSums({ channels: 1, height: 4, width: 16 })).toThrow("8x8 or more");
  });
});

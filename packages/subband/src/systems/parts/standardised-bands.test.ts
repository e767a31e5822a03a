import { atOnce, input, interpret, rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { analyse, lowBand, measuringLevels, restore, standardise, synthesise } from "./standardised-bands.ts";

const [COUNT, CHANNELS, HEIGHT, WIDTH] = [6, 3, 8, 12] as const;
const SIZE = CHANNELS * HEIGHT * WIDTH;
const pixels = rng(1, "images").fillNormal(new Float32Array(COUNT * SIZE));
for (let i = 0; i < pixels.length; i++) pixels[i] = 0.3 * pixels[i]! + (i % SIZE < SIZE / 2 ? 0.5 : -0.2);
const images = {
  ...{ count: COUNT, channels: CHANNELS, height: HEIGHT, width: WIDTH },
  read: (index: number) => pixels.subarray(index * SIZE, (index + 1) * SIZE),
};
const x = input("x", [COUNT, CHANNELS, HEIGHT, WIDTH]);
const feeds = { x: Float64Array.from(pixels) };

describe("measuringLevels()", () => {
  test("standardised bands of the measured images have mean 0 and deviation 1, channel by channel", () => {
    for (const [i, { low, detail }] of atOnce(measuringLevels(images, 2)).entries()) {
      const bands = analyse(lowBand(x, i));
      const results = interpret([standardise(bands.low, low), standardise(bands.detail, detail)], feeds);
      for (const { data, shape } of results) {
        const [, c, h, w] = shape as [number, number, number, number];
        for (let channel = 0; channel < c; channel++) {
          const values = data.filter((_, at) => Math.floor(at / (h * w)) % c === channel);
          const mean = values.reduce((a, b) => a + b, 0) / values.length;
          const square = values.reduce((a, b) => a + b * b, 0) / values.length;
          // Measured in float32 bands.
          expectClose([mean, square], [0, 1], {
            atol: 1e-5,
            what: `level ${i + 1}, channel ${channel} of ${c}`,
          });
        }
      }
    }
  });

  test("a band that is empty stays empty", () => {
    const flat = new Float32Array(SIZE).fill(0.25);
    const [level] = atOnce(measuringLevels({ ...images, read: () => flat }, 1));
    expect(level!.low.mean).toEqual([0.25, 0.25, 0.25]);
    const { detail } = analyse(x);
    const result = interpret([restore(standardise(detail, level!.detail), level!.detail)], {
      x: new Float64Array(COUNT * SIZE).fill(0.25),
    })[0]!;
    expect(result.data.every((value) => value === 0)).toBe(true);
  });
});

test("low bands are means of blocks, and bands make the image again", () => {
  const means = interpret([lowBand(x, 2)], feeds)[0]!;
  expect(means.shape).toEqual([COUNT, CHANNELS, 2, 3]);
  let first = 0;
  for (let row = 0; row < 4; row++)
    for (let column = 0; column < 4; column++) first += pixels[row * WIDTH + column]! / 16;
  expectClose([means.data[0]!], [first], { rtol: 1e-6 });
  const [level] = atOnce(measuringLevels(images, 1));
  const { low, detail } = analyse(x);
  const there = { low: standardise(low, level!.low), detail: standardise(detail, level!.detail) };
  const back = synthesise({
    low: restore(there.low, level!.low),
    detail: restore(there.detail, level!.detail),
  });
  expectClose(interpret([back], feeds)[0]!.data, feeds.x, { rtol: 1e-9, atol: 1e-9 });
});

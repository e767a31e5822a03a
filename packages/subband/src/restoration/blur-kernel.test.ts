import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { kernelOf } from "./blur-kernel.ts";
import type { Picture } from "./picture.ts";

const weights = [1, 2, 3, 4, 9, 5, 6, 7, 0];
const total = weights.reduce((a, b) => a + b);

/** Pixels of a weight 0..9 and its place. */
function kernel(pixel: (weight: number, i: number) => readonly number[], deep = false): Picture {
  const pixels = weights.map(pixel);
  const stride = pixels[0]!.length;
  const samples = new (deep ? Uint16Array : Uint8Array)(pixels.flat().map((v) => (deep ? 257 * v : v)));
  return {
    ...{ height: 3, width: 3, samples, notes: [] },
    colours: stride < 3 ? 1 : 3,
    alpha: stride % 2 === 0,
  };
}

describe("kernelOf()", () => {
  test.each<readonly [string, (weight: number, i: number) => readonly number[], number]>([
    ["gray", (w) => [20 * w], 1e-9],
    ["gray as three channels", (w) => [20 * w, 20 * w, 20 * w], 1e-9],
    ["green", (w) => [0, 20 * w, 0], 1e-9],
    ["blue and less red", (w) => [10 * w, 0, 20 * w], 1e-9],
    ["gray with opaque alpha", (w) => [20 * w, 255], 1e-9],
    ["gray on transparent white", (w) => (w === 0 ? [255, 0] : [20 * w, 255]), 1e-9],
    ["white paint of varied alpha", (w) => [255, 255, 255, 20 * w], 1e-9],
    ["red paint of varied alpha", (w) => [255, 0, 0, 20 * w], 1e-9],
    ["black paint of varied alpha", (w) => [0, 0, 0, 20 * w], 1e-9],
    ["black paint on transparent white", (w) => (w === 0 ? [255, 255, 255, 0] : [0, 0, 0, 20 * w]), 1e-9],
    ["gray with the grain of JPEG", (w, i) => [20 * w + (i % 2), 20 * w, 20 * w + 2], 5e-3],
  ])("%s: weights in proportion", (_, pixel, atol) => {
    for (const deep of [false, true]) {
      const { values } = kernelOf(kernel(pixel, deep));
      const sum = Array.from(values).reduce((a, b) => a + b);
      expectClose(
        Array.from(values, (v) => v / sum),
        weights.map((w) => w / total),
        { atol },
      );
    }
  });

  test("refuses what has no weights, no centre or several colours", () => {
    for (const [picture, message] of [
      [kernel(() => [0]), "the kernel is black everywhere"],
      [kernel(() => [0, 0, 0, 255]), "the kernel is black everywhere"],
      [kernel(() => [255, 0]), "the kernel is transparent everywhere"],
      [kernel((w, i) => (i < 4 ? [20 * w, 0, 0] : [0, 20 * w, 0])), "the kernel has several colours"],
      [{ ...kernel((w) => [w]), height: 9, width: 1 }, undefined],
      [{ ...kernel((w) => [w]), height: 4, width: 2 }, "the kernel has 2 x 4 pixels; it needs odd sides"],
    ] as const)
      if (message === undefined) expect(kernelOf(picture).values).toHaveLength(9);
      else expect(() => kernelOf(picture), message).toThrow(message);
  });
});

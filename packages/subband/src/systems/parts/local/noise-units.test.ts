/** @module Units of the noise: what the scale of a U-Net's input and output promises about its residual. */
import { constant, input, interpret, isNdArray, type NdArray, rng, type Tensor, treeMap } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { type BandUnetParams, initBandUnet } from "../../../nn/band-unet.ts";
import type { Params } from "../../../nn/layers.ts";
import { unetResidual } from "./denoiser.ts";
import { limited, noiseScale, withoutMean } from "./noise-units.ts";

const normal = (name: string, size: number) => rng(11, name).fillNormal(new Float64Array(size));
const values = (tensor: Tensor, x: ArrayLike<number>): Float64Array => interpret([tensor], { x })[0]!.data;

describe("noiseScale()", () => {
  test("is the deviation of white noise, image by image", () => {
    const x = normal("noise", 2 * 3 * 64 * 64);
    const each = x.map((v, i) => (i < x.length / 2 ? 0.02 * v : 3 * v));
    const scale = values(noiseScale(input("x", [2, 3, 64, 64])), each);
    // 1.5 % is three deviations of the mean of 12,288 sizes.
    expectClose(scale, [0.02, 3], { rtol: 0.015 });
  });
});

describe("withoutMean()", () => {
  test("takes the mean of the eight neighbours and itself away, the border repeated", () => {
    const x = [1, 2, 4, 8, 16, 32];
    const [a, b, c, d, e, f] = x as [number, number, number, number, number, number];
    const found = values(withoutMean(input("x", [1, 1, 2, 3])), x);
    expectClose([found[0]!], [a - (4 * a + 2 * b + 2 * d + e) / 9], { rtol: 1e-6, what: "corner" });
    expectClose([found[1]!], [b - (2 * (a + b + c) + d + e + f) / 9], { rtol: 1e-6, what: "edge" });
  });
});

describe("limited()", () => {
  test("leaves what is small and stays within 8 deviations", () => {
    expectClose(values(limited(input("x", [4])), [0.01, -0.01, 1e4, -1e4]), [0.01, -0.01, 8, -8], {
      rtol: 1e-5,
    });
  });
});

describe("unetResidual()", () => {
  const config = { channels: 1, widths: [4, 6], encoder: [1, 1], decoder: [1, 0] };
  const random = rng(11, "noise-units-test");
  /** As trained, biases too: every number matters. */
  const network = treeMap(initBandUnet(random, config) as never, isNdArray, ({ shape, data }: NdArray) =>
    constant(
      data.map(() => 0.3 * random.normal()),
      shape,
    ),
  ) as unknown as Params<BandUnetParams>;
  const shape = [1, 1, 16, 8];
  const x = normal("x", 128);
  const residual = (data: ArrayLike<number>) =>
    values(unetResidual(network, input("x", shape), "haar"), data);

  test("is the same in both phases, though inference takes the last convolution by blocks", () => {
    const blocks = values(unetResidual(network, input("x", shape), "haar", "inference"), x);
    expectClose(blocks, residual(x), { rtol: 1e-10, atol: 1e-10 });
  });

  test("f(a x + b) = a f(x) for a > 0, at any brightness and contrast", () => {
    const expected = residual(x);
    for (const [a, b] of [
      [0.05, 0],
      [1, 30],
      [20, -7],
    ] as const)
      expectClose(
        residual(x.map((v) => a * v + b)),
        expected.map((v) => a * v),
        {
          rtol: 1e-3,
          atol: 1e-3 * a,
          what: `a = ${a}, b = ${b}`,
        },
      );
  });

  test("never moves a pixel by more than the noise allows: 16 deviations, where it is all detail and low-pass at once", () => {
    const furious = treeMap(initBandUnet(random, config) as never, isNdArray, ({ shape, data }: NdArray) =>
      constant(
        data.map(() => 50 * random.normal()),
        shape,
      ),
    ) as unknown as Params<BandUnetParams>;
    const noisy = x.map((v) => 0.1 * v);
    const found = values(unetResidual(furious, input("x", shape), "haar"), noisy);
    const scale = 0.1; // of the noise, give or take what 32 coefficients tell
    expect(Math.max(...found.map(Math.abs))).toBeLessThan(16 * scale * 1.5);
    expect(Math.max(...found.map(Math.abs))).toBeGreaterThan(scale);
  });

  test("leaves a flat image alone", () => {
    expectClose(residual(new Float64Array(128).fill(0.7)), new Float64Array(128), { atol: 1e-4 });
  });
});

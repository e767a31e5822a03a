import { compile, constant, gradients, input, interpret, rng, type Tensor } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { ssim, ssimMap } from "./ssim.ts";

const values = (tensor: Tensor, feeds: Record<string, ArrayLike<number>> = {}): Float64Array =>
  interpret([tensor], feeds)[0]!.data;

const [HEIGHT, WIDTH] = [16, 14];
const pixels = (value: (i: number) => number): number[] =>
  Array.from({ length: HEIGHT * WIDTH }, (_, i) => value(i));
const X = pixels((i) => 0.5 + 0.4 * Math.sin(0.3 * i));
const Y = pixels((i) => 0.5 + 0.3 * Math.sin(0.3 * i + 0.4) + 0.15 * Math.cos(0.9 * i));

describe("ssim()", () => {
  test("equals scikit-image where no window reaches over the border", () => {
    const shape = [1, 1, HEIGHT, WIDTH];
    const map = values(ssimMap(constant(X, shape), constant(Y, shape)));
    SKIMAGE.forEach((row, r) => {
      const start = (r + 5) * WIDTH + 5;
      expectClose(map.subarray(start, start + 4), row, { rtol: 1e-9, what: `row ${r + 5}` });
    });
  });

  test("equals the released loss's mean over three channels, zeros beyond the border", async () => {
    // pytorch_ssim.ssim of (x, y, xy) and (y, x^2, x), in float32.
    const a = [...X, ...Y, ...X.map((v, i) => v * Y[i]!)];
    const b = [...Y, ...X.map((v) => v * v), ...X];
    const shape = [1, 3, HEIGHT, WIDTH];
    expectClose(values(ssim(constant(a, shape), constant(b, shape))), [0.820162117], { rtol: 1e-6 });
    const program = await compile(node({ threads: 1 }), { inputs: { x: shape, y: shape } }, ({ x, y }) => ({
      value: ssim(x, y),
    }));
    const { value } = await program.run({ x: Float32Array.from(a), y: Float32Array.from(b) });
    expectClose(value, [0.820162117], { rtol: 1e-5 });
    await program.dispose();
  });

  test("is 1 for equal images, symmetric, and follows its formula for constant ones", () => {
    const shape = [1, 1, HEIGHT, WIDTH];
    const [x, y] = [constant(X, shape), constant(Y, shape)];
    expectClose(values(ssim(x, x)), [1], { rtol: 1e-12 });
    expectClose(values(ssim(x, y)), values(ssim(y, x)), { rtol: 1e-12 });
    const flat = (v: number) => constant(new Float64Array(21 * 21).fill(v), [1, 1, 21, 21]);
    const centre = values(ssimMap(flat(0.2), flat(0.7)))[10 * 21 + 10]!;
    expectClose([centre], [(2 * 0.2 * 0.7 + 1e-4) / (0.2 ** 2 + 0.7 ** 2 + 1e-4)], { rtol: 1e-9 });
  });

  test("has the gradient that finite differences see, in both images", () => {
    const shape = [2, 2, 9, 12];
    const size = 2 * 2 * 9 * 12;
    const draw = (index: number) => rng(8, "ssim-test", index).fillNormal(new Float64Array(size));
    const feeds = { x: draw(0).map((v) => 0.5 + 0.2 * v), y: draw(1).map((v) => 0.5 + 0.2 * v) };
    const [x, y] = [input("x", shape), input("y", shape)];
    const value = ssim(x, y);
    const grads = gradients(value, [x, y]);
    for (const [i, name] of (["x", "y"] as const).entries()) {
      const direction = draw(2 + i);
      const at = (step: number) =>
        values(value, { ...feeds, [name]: feeds[name].map((v, k) => v + step * direction[k]!) })[0]!;
      const slope = values(grads[i]!, feeds).reduce((total, g, k) => total + g * direction[k]!, 0);
      expectClose([slope], [(at(1e-5) - at(-1e-5)) / 2e-5], { rtol: 1e-6, what: name });
    }
  });

  test("refuses images of different shapes", () => {
    expect(() => ssim(input("x", [1, 3, 8, 8]), input("y", [1, 3, 8, 4]))).toThrow(
      /\[1,3,8,8\] and \[1,3,8,4\] differ/,
    );
  });
});

/** skimage 0.19.3 structural_similarity(gaussian_weights, sigma 1.5, population covariance, data_range 1), [5:-5, 5:-5]. */
const SKIMAGE = [
  [0.8138742686, 0.8217628874, 0.8275913815, 0.8178587703],
  [0.8150465158, 0.8224156432, 0.8266681842, 0.8161722511],
  [0.8136232171, 0.8216586335, 0.8257492652, 0.8157282174],
  [0.8139514315, 0.823128972, 0.8270060545, 0.8168749341],
  [0.8151122108, 0.823644078, 0.8259130638, 0.8152160213],
  [0.8137752367, 0.822908781, 0.824975327, 0.814918369],
];

import { conv2d, gradients, input, interpret, mul, rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { energyScore, gradientPenalty, relativisticLoss, spectrumError } from "./detail-losses.ts";

describe("energyScore()", () => {
  // For draws N(0, s^2) of a truth N(0, 1): E|X - y| - E|X - X'| / 2 = sqrt(2 (1 + s^2) / pi) - s / sqrt(pi).
  const exact = (s: number) => Math.sqrt((2 * (1 + s * s)) / Math.PI) - s / Math.sqrt(Math.PI);
  const n = 40_000;
  const shape = [n, 1, 1, 1];
  const [a, b, y] = ["a", "b", "y"].map((name) => input(name, shape)) as [never, never, never];
  /** Monte Carlo over draws of deviation s. */
  const estimate = (s: number, repulsion = 1) => {
    const draws = (name: string) =>
      rng(1, name)
        .fillNormal(new Float64Array(n))
        .map((v) => s * v);
    const y1 = rng(1, "y").fillNormal(new Float64Array(n));
    return interpret([energyScore(a, b, y, [1], repulsion)], { a: draws("a"), b: draws("b"), y: y1 })[0]!
      .data[0]!;
  };

  test.each([0.25, 0.5, 1, 2])("has the closed form of Gaussians at deviation %d", (s) => {
    // Monte Carlo error about 0.6 / sqrt(n) = 0.003; the softening of the root adds at most 0.01.
    expectClose([estimate(s)], [exact(s)], { atol: 0.015 });
  });
  test("is least for draws with the deviation of the truth", () => {
    const scores = [0.25, 0.5, 1, 2].map((s) => estimate(s));
    expect(scores.indexOf(Math.min(...scores))).toBe(2);
  });
  test("without repulsion is the mean distance, which collapsed draws minimise", () => {
    expect(estimate(0, 0)).toBeLessThan(estimate(1, 0));
  });
  test("takes the distance over whole patches and all channels", () => {
    const p = input("p", [1, 2, 2, 2]);
    const q = input("q", [1, 2, 2, 2]);
    const values = Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8);
    const [distance] = interpret([energyScore(p, p, q, [2], 0)], { p: values, q: new Float64Array(8) });
    expectClose(distance!.data, [Math.sqrt(204 / 8 + 1e-4)], { rtol: 1e-9 });
  });
});

describe("spectrumError()", () => {
  const shape = [3, 2, 4, 6];
  const truth = rng(2, "truth").fillNormal(new Float64Array(3 * 2 * 24));
  const errorOf = (details: Float64Array, extents: readonly number[] = shape): number => {
    const [a, b] = [input("a", extents), input("b", extents)];
    return interpret([spectrumError(a, b)], { a: details, b: truth.subarray(0, details.length) })[0]!
      .data[0]!;
  };

  test("of details k times the true ones is |ln k|", () => {
    for (const k of [0.5, 1, 3])
      // The floor under the powers, 1e-4 of unit variance, bends it by about as much.
      expectClose([errorOf(truth.map((v) => k * v))], [Math.abs(Math.log(k))], {
        atol: 2e-3,
        what: `k = ${k}`,
      });
    expectClose(
      [
        errorOf(
          truth.slice(0, 90).map((v) => 2 * v),
          [3, 2, 3, 5],
        ),
      ],
      [Math.log(2)],
      {
        atol: 2e-3,
        what: "odd extents, where there are no sub-bands",
      },
    );
  });
  test("does not heed signs, places of blocks, or which image has what", () => {
    const image = 2 * 24;
    const turned = truth.map((_, i) => -truth[(i + image) % truth.length]!);
    expectClose([errorOf(turned)], [0], { atol: 1e-12 });
  });
  test("heeds the order of pixels within a block: the same power at other frequencies", () => {
    const striped = truth.map((_, i) => (i % 2 === 0 ? 1 : -1));
    const flat = Float64Array.from(truth, () => 1);
    const [a, b] = [input("a", shape), input("b", shape)];
    const [error] = interpret([spectrumError(a, b)], { a: striped, b: flat });
    // All power is in one sub-band of four, 4 a coefficient; in two of them one image has 4 and the other nothing.
    expectClose(error!.data, [(2 * 0.5 * Math.log((4 + 1e-4) / 1e-4)) / 4], { rtol: 1e-6 });
  });
});

describe("relativisticLoss()", () => {
  test("is mean log(1 + exp(other - own))", () => {
    const [own, other] = [input("own", [3]), input("other", [3])];
    const [loss] = interpret([relativisticLoss(own, other)], { own: [1, -2, 0.5], other: [0, 3, 0.5] });
    const expected = [-1, 5, 0].reduce((total, d) => total + Math.log1p(Math.exp(d)) / 3, 0);
    expectClose(loss!.data, [expected], { rtol: 1e-12 });
  });
});

describe("gradientPenalty()", () => {
  test("of a linear discriminator is the squared norm of its weights, whatever the image", () => {
    const image = input("image", [2, 1, 2, 2]);
    const weight = input("weight", [1, 1, 2, 2]);
    const penalty = gradientPenalty(conv2d(image, weight), image);
    const [slope] = gradients(penalty, [weight]);
    const w = [1, -2, 0.5, 3];
    const [value, derivative] = interpret([penalty, slope!], {
      image: rng(1, "x").fillNormal(new Float64Array(8)),
      weight: w,
    });
    expectClose(value!.data, [14.25], { rtol: 1e-12 });
    expectClose(
      derivative!.data,
      w.map((v) => 2 * v),
      { rtol: 1e-12 },
    );
  });
  test("averages scores of patches and samples", () => {
    const image = input("image", [3, 1, 1, 2]);
    // Two patches a sample, score 4 x each: d(mean of patches)/dx = 2 at both pixels, squared norm 8.
    const [value] = interpret([gradientPenalty(mul(image, 4), image)], { image: new Float64Array(6) });
    expectClose(value!.data, [8], { rtol: 1e-12 });
  });
});

import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { decaying, normalMatrix, product, transposed, withEigenvalues } from "./matrices.testing.ts";
import { addRowProducts } from "./row-products.ts";
import { symmetricEigen, symmetricEigenvalues } from "./symmetric-eigen.ts";

const SLOW = process.env["SLOW"] === "1";

describe("symmetricEigen()", () => {
  test("finds known values, to rounding of the largest; vectors are orthogonal and rebuild the matrix", () => {
    const cases = {
      "one number": Float64Array.of(-3),
      two: Float64Array.of(2, -1),
      "ten decades": decaying(70, 10),
      "of both signs": Float64Array.from({ length: 65 }, (_, i) => (i - 20) / 3),
      multiple: Float64Array.from({ length: 48 }, (_, i) => (i < 20 ? 5 : i < 40 ? 0 : 7)),
      "very large": decaying(30, 4, 1e180),
      "very small": decaying(30, 4, 1e-180),
      zeros: new Float64Array(9),
    };
    for (const [what, values] of Object.entries(cases)) {
      const d = values.length;
      const size = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      const a = withEigenvalues(values, 5);
      const found = symmetricEigen(a, d);
      const close = { rtol: 0, atol: 1e-13 * size, what };
      expectClose(found.values, values.slice().sort(), close);
      expectClose(symmetricEigenvalues(a, d), values.slice().sort(), close);
      const v = found.vectors;
      const identity = Float64Array.from(a, (_, i) => (i % (d + 1) === 0 ? 1 : 0));
      expectClose(product(v, transposed(v, d, d), [d, d, d]), identity, { rtol: 0, atol: 1e-13, what });
      const scaled = v.map((value, i) => value * found.values[Math.floor(i / d)]!);
      expectClose(product(transposed(v, d, d), scaled, [d, d, d]), a, close);
    }
  });

  test("a matrix that is diagonal already, and one that is tridiagonal with known values", () => {
    const diagonal = Float64Array.from({ length: 16 }, (_, i) => (i % 5 === 0 ? [4, 1, 3, 2][i / 5]! : 0));
    expectClose(symmetricEigenvalues(diagonal, 4), [1, 2, 3, 4], { rtol: 1e-15 });
    const d = 33; // second differences: 2 - 2 cos(pi k / (d + 1))
    const second = Float64Array.from({ length: d * d }, (_, i) => {
      const apart = Math.abs(Math.floor(i / d) - (i % d));
      return apart === 0 ? 2 : apart === 1 ? -1 : 0;
    });
    const want = Array.from({ length: d }, (_, k) => 2 - 2 * Math.cos((Math.PI * (k + 1)) / (d + 1)));
    expectClose(symmetricEigenvalues(second, d), want, { rtol: 1e-13, atol: 1e-14 });
  });

  test("of what is no number it says no number, and ends", () => {
    for (const bad of [Number.NaN, Number.POSITIVE_INFINITY])
      expect(symmetricEigenvalues(Float64Array.of(1, 0, 0, bad), 2).some(Number.isNaN)).toBe(true);
  });

  test.runIf(SLOW)("1,024 x 1,024 of random numbers: A v = lambda v", { timeout: 600_000 }, () => {
    const d = 1024;
    const x = normalMatrix(d, d, 3);
    const a = x.map((value, i) => value + x[(i % d) * d + Math.floor(i / d)]!);
    const { values, vectors } = symmetricEigen(a, d);
    const images = new Float64Array(d * d); // V A^T
    const rows = (data: Float64Array) => ({ data, at: 0, stride: d });
    addRowProducts(rows(images), rows(vectors), rows(a), [d, d, d]);
    const want = vectors.map((value, i) => value * values[Math.floor(i / d)]!);
    expectClose(images, want, { rtol: 0, atol: 1e-11 });
  });
});

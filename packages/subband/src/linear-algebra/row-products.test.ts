import { expectClose } from "onnxgrad/testing";
import { describe, test } from "vitest";
import { normalMatrix, product, transposed } from "./matrices.testing.ts";
import { addRowProducts } from "./row-products.ts";

describe("addRowProducts()", () => {
  test("adds f A B^T, for sizes that fill no tile and no block", () => {
    for (const [m, n, k] of [
      [1, 1, 1],
      [3, 5, 2],
      [4, 8, 257],
      [7, 133, 9],
      [133, 6, 300],
    ] as const) {
      const [a, b, c] = [normalMatrix(m, k, 1), normalMatrix(n, k, 2), normalMatrix(m, n, 3)];
      const want = product(a, transposed(b, n, k), [m, k, n]).map((value, i) => c[i]! - 0.5 * value);
      addRowProducts(
        { data: c, at: 0, stride: n },
        { data: a, at: 0, stride: k },
        { data: b, at: 0, stride: k },
        [m, n, k],
        { factor: -0.5 },
      );
      expectClose(c, want, { rtol: 1e-12, atol: 1e-12, what: `${m} x ${n} x ${k}` });
    }
  });

  test("the lower triangle alone, of parts of larger arrays", () => {
    const [d, k, stride, at] = [261, 5, 300, 7];
    const a = normalMatrix(d + 1, stride, 4);
    const part = Float64Array.from(
      { length: d * k },
      (_, i) => a[at + Math.floor(i / k) * stride + (i % k)]!,
    );
    const whole = product(part, transposed(part, d, k), [d, k, d]);
    const c = new Float64Array(d * d);
    const rows = { data: a, at, stride };
    addRowProducts({ data: c, at: 0, stride: d }, rows, rows, [d, d, k], { lower: true });
    const below = (_: number, i: number): boolean => i % d <= Math.floor(i / d);
    expectClose(c.filter(below), whole.filter(below), { rtol: 1e-12, atol: 1e-12 });
  });
});

import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { choleskyFactor } from "./cholesky.ts";
import { decaying, normalMatrix, product, transposed, withEigenvalues } from "./matrices.testing.ts";

/** `L L^T` with its rows where they are in A. */
function rebuilt({ rank, transposed: upper, order }: ReturnType<typeof choleskyFactor>, d: number) {
  const pivoted = product(transposed(upper, rank, d), upper, [d, rank, d]);
  const a = new Float64Array(d * d);
  for (let i = 0; i < d; i++) for (let j = 0; j < d; j++) a[order[i]! * d + order[j]!] = pivoted[i * d + j]!;
  return a;
}

describe("choleskyFactor()", () => {
  test("L L^T is the matrix, its triangle and its zeros are where they should be", () => {
    for (const [d, decades] of [
      [1, 0],
      [5, 0],
      [63, 10],
      [64, 3],
      [150, 10],
    ] as const) {
      const a = withEigenvalues(decaying(d, decades, 3), d);
      const factor = choleskyFactor(a, d);
      expect(factor.rank).toBe(d);
      expectClose(rebuilt(factor, d), a, { rtol: 1e-14, atol: 1e-14, what: `d ${d}, 1e${decades}` });
      for (let t = 0; t < d; t++) for (let i = 0; i < t; i++) expect(factor.transposed[t * d + i]).toBe(0);
    }
  });

  test("finds the rank of products of few columns, of constant features and of none", () => {
    for (const [d, rank] of [
      [10, 3],
      [150, 70],
      [200, 1],
    ] as const) {
      const x = normalMatrix(d, rank, d);
      x.fill(0, 2 * rank, 3 * rank); // feature 2 is constant
      const a = product(x, transposed(x, d, rank), [d, rank, d]);
      const factor = choleskyFactor(a, d);
      expect(factor.rank).toBe(rank);
      expectClose(rebuilt(factor, d), a, { rtol: 1e-12, atol: 1e-12, what: `d ${d}, rank ${rank}` });
    }
    expect(choleskyFactor(new Float64Array(9), 3).rank).toBe(0);
  });

  test("does not mind units: a feature in thousandths of thousandths keeps its digits", () => {
    const d = 20;
    const a = withEigenvalues(decaying(d, 2), 7);
    const units = Float64Array.from({ length: d }, (_, i) => 10 ** (-i / 2));
    const scaled = a.map((value, i) => value * units[Math.floor(i / d)]! * units[i % d]!);
    const factor = choleskyFactor(scaled, d);
    expect(factor.rank).toBe(d);
    const back = rebuilt(factor, d).map((value, i) => value / units[Math.floor(i / d)]! / units[i % d]!);
    expectClose(back, a, { rtol: 1e-13, atol: 1e-13 });
  });
});

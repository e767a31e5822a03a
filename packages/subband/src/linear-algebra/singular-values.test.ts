import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { decaying, normalMatrix, product, transposed, withEigenvalues } from "./matrices.testing.ts";
import { singularValues } from "./singular-values.ts";
import { symmetricEigenvalues } from "./symmetric-eigen.ts";

describe("singularValues()", () => {
  test("of symmetric matrices they are the sizes of the eigenvalues, small ones to rounding of the largest", () => {
    for (const [what, values] of Object.entries({
      one: Float64Array.of(-2),
      "twelve decades": decaying(90, 12),
      "of both signs": Float64Array.from({ length: 41 }, (_, i) => (i - 20) / 3),
      "rank 7": Float64Array.from({ length: 60 }, (_, i) => (i < 7 ? i + 1 : 0)),
      large: decaying(20, 3, 1e200),
    })) {
      const d = values.length;
      const want = values.map(Math.abs).sort().reverse();
      const found = singularValues(withEigenvalues(values, 3), d, d);
      expectClose(found, want, { rtol: 0, atol: 1e-14 * want[0]!, what });
    }
  });

  test("of matrices of any extents their squares are the eigenvalues of A^T A, the same of A^T", () => {
    for (const [rows, columns] of [
      [5, 5],
      [40, 13],
      [13, 40],
      [1, 9],
      [66, 65],
    ] as const) {
      const a = normalMatrix(rows, columns, 1);
      const found = singularValues(a, rows, columns);
      const what = `${rows} x ${columns}`;
      expectClose(singularValues(transposed(a, rows, columns), columns, rows), found, { rtol: 1e-12, what });
      const square = product(transposed(a, rows, columns), a, [columns, rows, columns]);
      const want = symmetricEigenvalues(square, columns).reverse().slice(0, Math.min(rows, columns));
      expectClose(
        found.map((value) => value * value),
        want,
        { rtol: 1e-10, atol: 1e-12, what },
      );
    }
  });

  test("of nothing there are none, of zeros zeros", () => {
    expect(singularValues(new Float64Array(0), 0, 4)).toHaveLength(0);
    expect([...singularValues(new Float64Array(6), 2, 3)]).toEqual([0, 0]);
  });
});

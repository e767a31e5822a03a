import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { extrapolatedFrechet } from "./extrapolated-frechet.ts";
import { frechetDistance } from "./frechet.ts";
import { decaying } from "../../linear-algebra/matrices.testing.ts";
import { type Moments, momentsOf } from "./moments.ts";

const D = 24;
const VARIANCES = decaying(D, 2);
/** N(0, diag(VARIANCES)) itself. */
const REFERENCE: Moments = {
  dimensions: D,
  count: 2,
  mean: new Float64Array(D),
  scatter: Float64Array.from({ length: D * D }, (_, i) => (i % (D + 1) === 0 ? VARIANCES[i / (D + 1)]! : 0)),
};
/** Of N(0, 0.64 diag(VARIANCES)) to it. */
const TRUTH = VARIANCES.reduce((sum, value) => sum + 0.04 * value, 0);

function draws(n: number, seed: number): Float32Array {
  return rng(seed, "features")
    .fillNormal(new Float32Array(n * D))
    .map((value, i) => value * 0.8 * Math.sqrt(VARIANCES[i % D]!));
}

describe("extrapolatedFrechet()", () => {
  test("takes off what few images add: over 40 sets its mean is the truth, that of plain distances is not", () => {
    const [n, sets] = [600, 40];
    const found = Array.from({ length: sets }, (_, seed) =>
      extrapolatedFrechet(REFERENCE, draws(n, seed), n, seed),
    );
    const plain = found.map(({ distances }) => distances.at(-1)!);
    const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / sets;
    const values = found.map(({ value }) => value);
    const error = Math.sqrt(mean(values.map((value) => (value - mean(values)) ** 2)) / (sets - 1));
    expect(Math.abs(mean(values) - TRUTH)).toBeLessThan(3 * error);
    expect(mean(plain) - TRUTH).toBeGreaterThan(10 * error);
    expectClose([mean(found.map(({ slope }) => slope)) / n], [mean(plain) - TRUTH], { rtol: 0.15 });
  });

  test("goes by dgm-eval's sizes; the last distance is that of all rows, and the line is numpy's polyfit", () => {
    const n = 1000;
    const rows = draws(n, 1);
    const { sizes, distances, value, slope } = extrapolatedFrechet(REFERENCE, rows, n);
    // np.linspace(min(5000, 1000 / 10), 1000, 15).astype("int32")
    const want = [100, 164, 228, 292, 357, 421, 485, 550, 614, 678, 742, 807, 871, 935, 1000];
    expect(sizes).toEqual(want);
    expectClose([distances.at(-1)!], [frechetDistance(momentsOf(rows, n), REFERENCE)], { rtol: 1e-10 });
    // Normal equations: residuals add up to 0, alone and times 1 / n.
    const residuals = sizes.map((size, i) => distances[i]! - value - slope / size);
    expectClose([residuals.reduce((sum, each) => sum + each, 0)], [0], { atol: 1e-12 });
    expectClose([residuals.reduce((sum, each, i) => sum + each / sizes[i]!, 0)], [0], { atol: 1e-13 });
    expect(extrapolatedFrechet(REFERENCE, rows, n, 1).value).not.toBe(value);
    expect(extrapolatedFrechet(REFERENCE, rows, n).value).toBe(value);
  });

  test("refuses rows of other features, and so few that a tenth of them is one", () => {
    expect(() => extrapolatedFrechet(REFERENCE, new Float32Array(50), 2)).toThrow("expected 2 rows of 24");
    expect(() => extrapolatedFrechet(REFERENCE, draws(19, 1), 19)).toThrow("A covariance of 1 images");
  });
});

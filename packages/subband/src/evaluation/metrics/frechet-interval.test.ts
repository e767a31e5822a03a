import { rng } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { decaying } from "../../linear-algebra/matrices.testing.ts";
import { bootstrapInterval, resampleWeights } from "./bootstrap.ts";
import { frechetDistance } from "./frechet.ts";
import { frechetInterval } from "./frechet-interval.ts";
import { type Moments, momentsOf } from "./moments.ts";

const SLOW = process.env["SLOW"] === "1";
const backend = node({ threads: 1 });

/** Rows of N(shift sqrt(v), factor^2 v) in each feature, of variances v. */
function draws(
  n: number,
  variances: Float64Array,
  factor: number,
  shift: number,
  seed: number,
): Float32Array {
  const d = variances.length;
  return rng(seed, "features")
    .fillNormal(new Float32Array(n * d))
    .map((value, i) => (value * factor + shift) * Math.sqrt(variances[i % d]!));
}

function exactly(variances: Float64Array): Moments {
  const d = variances.length;
  const scatter = Float64Array.from({ length: d * d }, (_, i) =>
    i % (d + 1) === 0 ? variances[i / (d + 1)]! : 0,
  );
  return { dimensions: d, count: 2, mean: new Float64Array(d), scatter };
}

describe("bootstrapInterval()", () => {
  test("is value - bias -+ 1.96 standard errors", () => {
    const found = bootstrapInterval(5, [5, 6, 7]);
    const want = { value: 5, bias: 1, standardError: 1, low: 4 - 1.959964, high: 4 + 1.959964, resamples: 3 };
    expect(found).toEqual(want);
    expect(() => bootstrapInterval(1, [1])).toThrow("An interval of 1 resamples");
  });

  test("resamples draw as many rows as there are, each about once", () => {
    const weights = resampleWeights(4000, 1, 2);
    expect(weights.reduce((sum, value) => sum + value, 0)).toBe(4000);
    expectClose([weights.filter((value) => value === 0).length / 4000], [Math.exp(-1)], { atol: 0.03 });
    expect(resampleWeights(4000, 1, 3)).not.toEqual(weights);
  });
});

describe("frechetInterval()", () => {
  for (const [name, n, decades, constant] of [
    ["well conditioned", 200, 1, false],
    ["condition 1e8", 200, 8, false],
    ["fewer rows than features", 15, 2, false],
    ["with a constant feature", 60, 2, true],
  ] as const)
    test(`resamples have the distances of the rows that they repeat: ${name}`, async () => {
      const variances = decaying(20, decades);
      const d = variances.length;
      const rows = draws(n, variances, 0.8, 0.3, 1);
      if (constant) for (let i = 0; i < n; i++) rows[i * d + 3] = 0.5;
      const reference = exactly(decaying(d, decades / 2));
      const found = await frechetInterval(reference, rows, n, { backend, resamples: 5, seed: 4 });
      const replicates = Array.from({ length: 5 }, (_, index) => {
        const weights = resampleWeights(n, 4, index);
        const repeated = Array.from(weights).flatMap((times, i) =>
          Array.from({ length: times }, () => Array.from(rows.subarray(i * d, (i + 1) * d))).flat(),
        );
        return frechetDistance(momentsOf(Float32Array.from(repeated), n), reference);
      });
      const want = bootstrapInterval(frechetDistance(momentsOf(rows, n), reference), replicates);
      expectClose([found.value], [want.value], { rtol: 1e-12 });
      // Resamples of fewer rows than features are singular: float32 shows by the root of its rounding.
      const rtol = n < d ? 1e-3 : 1e-4;
      for (const key of ["bias", "standardError", "low", "high"] as const)
        expectClose([found[key]], [want[key]], { rtol, what: key });
    });

  test("of images that are all the same there is no spread", async () => {
    const found = await frechetInterval(exactly(decaying(4, 0)), new Float32Array(40).fill(2), 10, {
      backend,
      resamples: 3,
    });
    expectClose([found.value, found.bias, found.standardError], [4 * 4 + 4, 0, 0], { rtol: 1e-12 });
  });

  test.runIf(SLOW)(
    "holds the truth about 95 times in 100, an interval where the resamples are far less",
    { timeout: 600_000 },
    async () => {
      const [d, n, sets] = [24, 1000, 200];
      const variances = decaying(d, 1.8);
      const truth = variances.reduce((sum, value) => sum + value * (0.04 + 0.15 ** 2), 0);
      let [held, plain] = [0, 0];
      for (let seed = 0; seed < sets; seed++) {
        const rows = draws(n, variances, 0.8, 0.15, seed);
        const found = await frechetInterval(exactly(variances), rows, n, { backend, resamples: 100, seed });
        if (found.low <= truth && truth <= found.high) held++;
        const centre = found.value + found.bias;
        if (Math.abs(centre - truth) <= 1.96 * found.standardError) plain++;
      }
      // 200 sets: a standard error of 1.5 in 100.
      expect(held / sets, "coverage").toBeGreaterThan(0.9);
      expect(held / sets, "coverage").toBeLessThan(0.985);
      expect(plain / sets, "coverage about value + bias").toBeLessThan(0.5);
    },
  );
});

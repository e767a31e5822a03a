import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { traceSqrt } from "../../linear-algebra/trace-sqrt.ts";
import { frechet, frechetDistance } from "./frechet.ts";
import { FRECHET_GOLDEN, goldenRows } from "./golden.testing.ts";
import { covariance, type Moments, momentsOf } from "./moments.ts";

/** Moments of a Gaussian: mean and s^2 times the identity. */
function gaussian(mean: readonly number[], s: number): Moments {
  const d = mean.length;
  const scatter = new Float64Array(d * d);
  for (let i = 0; i < d; i++) scatter[i * (d + 1)] = s * s * 99;
  return { dimensions: d, count: 100, mean: Float64Array.from(mean), scatter };
}

describe("frechetDistance()", () => {
  test("of N(0, I) and N(mu, s^2 I) is |mu|^2 + d (1 - s)^2", () => {
    for (const s of [0, 0.3, 1, 2.5])
      for (const mean of [[0, 0, 0], [3], Array.from({ length: 70 }, (_, i) => i / 10)]) {
        const want = mean.reduce((sum, value) => sum + value * value, mean.length * (1 - s) ** 2);
        const got = frechetDistance(
          gaussian(
            mean.map(() => 0),
            1,
          ),
          gaussian(mean, s),
        );
        expectClose([got], [want], { rtol: 1e-12, atol: 1e-12, what: `s ${s}, d ${mean.length}` });
      }
  });

  for (const { name, d, a, b, ...want } of FRECHET_GOLDEN)
    test(`equals numpy and scipy: ${name}`, () => {
      const [first, second] = [momentsOf(goldenRows(a, d), a.n), momentsOf(goldenRows(b, d), b.n)];
      const trace = traceSqrt(covariance(first), covariance(second), d);
      expectClose([trace], [want.traceSqrt], { rtol: 1e-11, atol: 0, what: "exact" });
      expectClose([trace], [want.sqrtm], { rtol: 1e-6, atol: 0, what: "sqrtm" });
      expectClose([frechetDistance(first, second)], [want.distance], { rtol: 1e-9, atol: 1e-9 });
      expectClose([frechetDistance(second, first)], [want.distance], { rtol: 1e-9, atol: 1e-9 });
    });

  test("does not change when features are turned, moved or put in another order, and grows with the square of their unit", () => {
    const [n, d] = [300, 12];
    const draw = (seed: number, s: number): Float32Array =>
      rng(seed, "features")
        .fillNormal(new Float32Array(n * d))
        .map((value, i) => value * (1 + s * (i % d)));
    const sets = [draw(1, 0.2), draw(2, 0.5)] as const;
    const distance = (change: (row: Float32Array) => Float32Array): number =>
      frechetDistance(
        ...(sets.map((rows) => {
          const changed = rows.slice();
          for (let i = 0; i < n; i++) changed.set(change(rows.subarray(i * d, (i + 1) * d)), i * d);
          return momentsOf(changed, n);
        }) as [Moments, Moments]),
      );
    const want = distance((row) => row);
    const turned = (row: Float32Array): Float32Array => {
      const along = row.reduce((sum, value, i) => sum + value * (i + 1), 0);
      return row.map((value, i) => value - ((2 * along) / 650) * (i + 1)); // 650 = 1 + 4 + ... + 144
    };
    const close = { rtol: 1e-5 };
    expectClose([distance(turned)], [want], { ...close, what: "turned" });
    expectClose([distance((row) => row.map((value) => value + 5))], [want], { ...close, what: "moved" });
    expectClose([distance((row) => row.slice().reverse())], [want], { ...close, what: "another order" });
    expectClose([distance((row) => row.map((value) => 3 * value))], [9 * want], { ...close, what: "unit" });
    const same = momentsOf(sets[0], n);
    expect(frechetDistance(same, same)).toBeLessThan(1e-12);
  });

  test("as a figure counted in parts it is the distance of the whole", () => {
    const { d, a, b } = FRECHET_GOLDEN[0]!;
    const [rows, reference] = [goldenRows(a, d), momentsOf(goldenRows(b, d), b.n)];
    const figure = frechet(reference);
    const part = (from: number, to: number) =>
      figure.add(figure.start(), rows.subarray(from * d, to * d), to - from);
    const merged = figure.merge(part(0, 100), figure.decode(figure.encode(part(100, a.n))));
    expectClose([figure.result(merged)], [frechetDistance(momentsOf(rows, a.n), reference)], { rtol: 1e-12 });
    expect(() => figure.result(part(0, 1))).toThrow("A covariance of 1 images");
    expect(() => figure.result(momentsOf(new Float32Array(6), 2))).toThrow("Moments of 3 and of 64 features");
  });
});

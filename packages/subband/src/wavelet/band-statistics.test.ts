/** @module Moments of bands against closed forms, and standardisation with them. */
import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { bandMoments, standardise, unstandardise } from "./band-statistics.ts";
import { planes } from "./planes.ts";
import { type Pyramid2, wavedec2 } from "./wavedec.ts";

/** Images [n, 2, 8, 8]: channel 0 with a huge mean, channel 1 skewed. */
function pyramid(n: number, index: number): Pyramid2<Float64Array> {
  const normal = rng(1, "band-statistics-test", index).fillNormal(new Float64Array(n * 2 * 64));
  const data = normal.map((x, i) => (Math.floor(i / 64) % 2 === 0 ? 1e6 + x : Math.exp(x)));
  return wavedec2(planes(data, [n, 2, 8, 8]), "haar", "periodization", 2);
}

describe("bandMoments()", () => {
  test("equals the two-pass moments of all values at once, whatever the batches", () => {
    const batches = [pyramid(3, 0), pyramid(1, 1), pyramid(5, 2)];
    const stream = bandMoments();
    for (const batch of batches) stream.add(batch);
    const moments = stream.result();
    expect(moments.map(({ name }) => name)).toEqual(["cA2", "cH2", "cV2", "cD2", "cH1", "cV1", "cD1"]);
    for (const [b, { name, count, mean, std, kurtosis }] of moments.entries())
      for (const channel of [0, 1]) {
        const values = batches.flatMap((batch) => {
          const { data, shape } = batch.flat()[b]!;
          const size = shape.at(-1)! * shape.at(-2)!;
          return [...data].filter((_, i) => Math.floor(i / size) % 2 === channel);
        });
        const average = (of: (x: number) => number): number =>
          values.reduce((sum, x) => sum + of(x), 0) / values.length;
        const centre = average((x) => x);
        const variance = average((x) => (x - centre) ** 2);
        const fourth = average((x) => (x - centre) ** 4);
        const what = `${name}, channel ${channel}`;
        expect(count, what).toBe(values.length);
        expectClose(
          [mean[channel]!, std[channel]!, kurtosis[channel]!],
          [centre, Math.sqrt(variance), fourth / variance ** 2],
          { rtol: 1e-8, atol: 1e-9, what },
        );
      }
  });

  test("finds the moments of known distributions", () => {
    const stream = bandMoments();
    for (let i = 0; i < 200; i++) {
      const normal = rng(3, "band-statistics-test", i).fillNormal(new Float64Array(1024));
      const uniform = rng(4, "band-statistics-test", i);
      const flat = Float64Array.from({ length: 1024 }, () => uniform.uniform());
      const zero = planes(new Float64Array(1024), [32, 32]);
      stream.add([planes(normal, [32, 32]), [planes(flat, [32, 32]), zero, zero]]);
    }
    const [gauss, box, constant] = stream.result();
    // 204,800 draws: standard errors are 0.002, 0.0016 and 0.011.
    expectClose([gauss!.mean[0]!, gauss!.std[0]!], [0, 1], { atol: 0.008 });
    expectClose([gauss!.kurtosis[0]!, box!.kurtosis[0]!], [3, 1.8], { atol: 0.04 });
    expectClose([box!.mean[0]!, box!.std[0]!], [0.5, Math.sqrt(1 / 12)], { atol: 0.004 });
    expect(constant!.std).toEqual([0]);
    expect(constant!.kurtosis).toEqual([Number.NaN]);
  });

  test("refuses pyramids of other levels or channels, and starts empty", () => {
    const stream = bandMoments();
    expect(stream.result()).toEqual([]);
    stream.add(pyramid(1, 0));
    const other = wavedec2(planes(new Float64Array(64), [8, 8]), "haar", "periodization", 2);
    expect(() => stream.add(other)).toThrow(UserError);
    expect(() => standardise(other, stream.result())).toThrow(/channels of the bands are \[1, 1/);
  });
});

describe("standardise()", () => {
  test("gives every band and channel mean 0 and deviation 1; unstandardise() inverts it", () => {
    const coeffs = pyramid(4, 7);
    const before = bandMoments();
    before.add(coeffs);
    const standard = standardise(coeffs, before.result());
    const after = bandMoments();
    after.add(standard);
    for (const { name, mean, std } of after.result()) {
      expectClose(mean, [0, 0], { atol: 1e-8, what: name });
      expectClose(std, [1, 1], { rtol: 1e-8, what: name });
    }
    const back = unstandardise(standard, before.result());
    for (const [b, band] of back.flat().entries())
      expectClose(band.data, coeffs.flat()[b]!.data, { rtol: 1e-12, atol: 1e-9, what: `band ${b}` });
  });

  test("only centres a band without spread", () => {
    const flat = wavedec2(planes(new Float64Array(16).fill(2), [4, 4]), "haar", "periodization", 1);
    const stream = bandMoments();
    stream.add(flat);
    for (const { data } of standardise(flat, stream.result()).flat()) expect([...data]).toEqual([0, 0, 0, 0]);
  });
});

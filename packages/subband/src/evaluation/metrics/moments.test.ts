import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { legacyRandn } from "../../../../../tests/support/numpy-random.ts";
import { covariance, moments, momentsOf } from "./moments.ts";

const [N, D] = [1300, 7];
const rows = Float32Array.from(legacyRandn(1)(N * D), (value, i) => 1e4 + value * (1 + (i % D)));

describe("moments()", () => {
  test("are the mean and the covariance as they are written, where the mean is large, too", () => {
    const found = momentsOf(rows, N);
    const mean = Float64Array.from({ length: D }, (_, j) => {
      let sum = 0;
      for (let i = 0; i < N; i++) sum += rows[i * D + j]!;
      return sum / N;
    });
    const want = Float64Array.from({ length: D * D }, (_, at) => {
      const [j, k] = [Math.floor(at / D), at % D];
      let sum = 0;
      for (let i = 0; i < N; i++) sum += (rows[i * D + j]! - mean[j]!) * (rows[i * D + k]! - mean[k]!);
      return sum / (N - 1);
    });
    expect(found.count).toBe(N);
    expectClose(found.mean, mean, { rtol: 1e-13 });
    expectClose(covariance(found), want, { rtol: 1e-11, atol: 1e-11 });
  });

  test("parts merged in any order, empty ones too, give what the whole gives", () => {
    const metric = moments(D);
    const whole = momentsOf(rows, N);
    const part = (from: number, to: number) =>
      metric.add(metric.start(), rows.subarray(from * D, to * D), to - from);
    for (const cuts of [[1], [0, 600], [1, 2, 3, 700, 701, 1299], [N]]) {
      const edges = [0, ...cuts, N];
      const parts = edges.slice(1).map((to, i) => part(edges[i]!, to));
      const merged = parts.reduceRight((a, b) => metric.merge(a, b), metric.start());
      expect(merged.count).toBe(N);
      expectClose(merged.mean, whole.mean, { rtol: 1e-13, what: `mean, cut at ${cuts.join()}` });
      expectClose(merged.scatter, whole.scatter, { rtol: 1e-11, atol: 1e-9, what: `cut at ${cuts.join()}` });
    }
  });

  test("come back from a file to the bit", () => {
    const metric = moments(D);
    const state = momentsOf(
      rows.map((value, i) => (value - 1e4) * [1, 1e-30, 1e15][i % 3]!),
      N,
    );
    expect(metric.decode(metric.encode(state))).toEqual(state);
    expect(() => moments(D + 1).decode(metric.encode(state))).toThrow('"mean" is missing or of another size');
    expect(() => metric.decode(new Map())).toThrow('"count" is missing');
  });

  test("refuse rows of another size, numbers that are none, and a covariance of one row", () => {
    const metric = moments(2);
    expect(() => metric.add(metric.start(), new Float32Array(5), 2)).toThrow(
      "5 features; expected 2 rows of 2",
    );
    expect(() => metric.add(metric.start(), Float32Array.of(0, 1, 2, Number.NaN), 2)).toThrow(
      "Feature 1 of image 1 is NaN",
    );
    expect(() => covariance(momentsOf(Float32Array.of(1, 2), 1))).toThrow("at least 2");
    expect(() => metric.merge(metric.start(), moments(3).start())).toThrow("2 and of 3 features");
  });
});

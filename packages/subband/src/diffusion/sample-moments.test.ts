import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { sampleMoments } from "./sample-moments.ts";

describe("sampleMoments()", () => {
  test("is the two-pass mean and standard deviation of each value, however the samples come", () => {
    const [size, count] = [7, 11];
    const x = rng(1, "samples").fillNormal(new Float64Array(size * count));
    const at = (i: number): number[] => Array.from({ length: count }, (_, k) => x[k * size + i]!);
    const mean = Array.from({ length: size }, (_, i) => at(i).reduce((a, b) => a + b) / count);
    const std = mean.map((m, i) =>
      Math.sqrt(at(i).reduce((sum, value) => sum + (value - m) ** 2, 0) / (count - 1)),
    );
    for (const steps of [1, 3, count]) {
      const moments = sampleMoments(size);
      for (let from = 0; from < count; from += steps)
        moments.add(x.subarray(from * size, Math.min(from + steps, count) * size));
      expect(moments.count).toBe(count);
      expectClose(moments.mean(), mean, { what: `${steps} at a time, mean` });
      expectClose(moments.std(), std, { what: `${steps} at a time, std` });
    }
  });

  test("keeps the deviation of samples with a large mean", () => {
    const moments = sampleMoments(1);
    for (const value of [1e9 + 1, 1e9 + 2, 1e9 + 3]) moments.add([value]);
    expectClose(moments.std(), [1]);
  });

  test("refuses part of a sample, and moments of too few", () => {
    const moments = sampleMoments(4);
    expect(() => moments.mean()).toThrow("mean of 0 samples; expected at least 1");
    expect(() => moments.add(new Float32Array(5))).toThrow(UserError);
    expect(() => moments.add([])).toThrow(UserError);
    moments.add([1, 2, 3, 4]);
    expect([...moments.mean()]).toEqual([1, 2, 3, 4]);
    expect(() => moments.std()).toThrow("standard deviation of 1 samples; expected at least 2");
  });
});

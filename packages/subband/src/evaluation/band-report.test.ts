import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import {
  bandReport,
  type BandSplit,
  bandStatistics,
  conditionalSpread,
  type SplitBands,
} from "./band-report.ts";

/** Orthonormal Haar by its 2 x 2 block definition. */
const split: SplitBands = (planes, height, width) => {
  const [h, w] = [height / 2, width / 2];
  const out: BandSplit = {
    LL: new Float32Array(planes.length / 4),
    LH: new Float32Array(planes.length / 4),
    HL: new Float32Array(planes.length / 4),
    HH: new Float32Array(planes.length / 4),
  };
  for (let i = 0; i < planes.length / 4; i++) {
    const row = 2 * Math.floor((i % (h * w)) / w) * width;
    const at = Math.floor(i / (h * w)) * height * width + row + 2 * (i % w);
    const [a, b] = [planes[at]!, planes[at + 1]!];
    const [c, d] = [planes[at + width]!, planes[at + width + 1]!];
    out.LL[i] = (a + b + c + d) / 2;
    out.LH[i] = (a + b - c - d) / 2;
    out.HL[i] = (a - b + c - d) / 2;
    out.HH[i] = (a - b - c + d) / 2;
  }
  return out;
};
const shape = { height: 16, width: 24, levels: 2, split };
const noise = (n: number, std: number): Float32Array =>
  rng(8, "bands")
    .fillNormal(new Float32Array(n * 384))
    .map((value) => std * value);

describe("bandStatistics()", () => {
  test("of white Gaussian noise: std halves at each level on the image-range pyramid, kurtosis 3 in every band", () => {
    const got = bandStatistics(noise(200, 0.4), shape);
    expect(got.map(({ level, band }) => `${band}${level}`)).toEqual([
      "LH1",
      "HL1",
      "HH1",
      "LH2",
      "HL2",
      "HH2",
      "LL2",
    ]);
    for (const { level, band, std, kurtosis } of got) {
      // 4800 coefficients on level 2: 4 standard errors of std / sqrt(2 n) and sqrt(24 / n).
      expectClose([std], [0.4 / 2 ** (band === "LL" ? level : level - 1)], {
        rtol: 0.041,
        atol: 0,
        what: `${band}${level}, std`,
      });
      expectClose([kurtosis], [3], { rtol: 0, atol: 0.29, what: `${band}${level}, kurtosis` });
    }
  });

  test("of stripes: all in one band, with the kurtosis 1 of two equal values", () => {
    // Columns alternate between +s and -s, the sign s differing by block: only HL1 is not 0, and it is +-2.
    const planes = Float32Array.from({ length: 384 }, (_, i) => {
      const [y, x] = [Math.floor(i / 24), i % 24];
      return (x % 2 === 0 ? 1 : -1) * ((Math.floor(x / 2) + Math.floor(y / 2)) % 2 === 0 ? 1 : -1);
    });
    for (const { level, band, std, kurtosis } of bandStatistics(planes, shape)) {
      const here = level === 1 && band === "HL";
      expectClose([std], [here ? 2 : 0], { what: `${band}${level}, std` });
      expectClose([kurtosis], [here ? 1 : Number.NaN], { what: `${band}${level}, kurtosis` });
    }
  });

  test("without levels measures the pixels", () => {
    const got = bandStatistics(Float32Array.of(1, 3, 1, 3), { height: 2, width: 2, levels: 0, split });
    expect(got).toEqual([{ level: 0, band: "LL", std: 1, kurtosis: 1 }]);
  });

  test("refuses sides that are not multiples of 2^levels, and broken or empty sets", () => {
    expect(() => bandStatistics(noise(1, 1), { ...shape, levels: 4 })).toThrow("multiples of 16");
    expect(() => bandStatistics(new Float32Array(383), shape)).toThrow("383 numbers as planes of 16 x 24");
    expect(() => bandStatistics(new Float32Array(0), shape)).toThrow("expected whole planes");
  });
});

describe("bandReport()", () => {
  test("of images half as contrasty: every ratio is 0.5 and no kurtosis changes", () => {
    const real = bandStatistics(noise(20, 1), shape);
    const report = bandReport(bandStatistics(noise(20, 0.5), shape), real);
    expect(report.length).toBe(7);
    for (const { level, band, stdRatio, generated, real: theirs } of report) {
      expectClose([stdRatio], [0.5], { what: `${band}${level}` });
      expectClose([generated.kurtosis], [theirs.kurtosis], { what: `${band}${level}` });
    }
  });

  test("refuses lists of different bands", () => {
    const one = bandStatistics(noise(1, 1), { ...shape, levels: 1 });
    expect(() => bandReport(one, bandStatistics(noise(1, 1), shape))).toThrow(
      "generated has LH1 HL1 HH1 LL1, real has",
    );
  });
});

describe("conditionalSpread()", () => {
  const mean = rng(1, "mean").fillNormal(new Float64Array(20_000));
  const draw = (std: number, index: number): Float64Array =>
    rng(1, "draw", index)
      .fillNormal(new Float64Array(20_000))
      .map((value, i) => mean[i]! + std * value);

  test("recovers the standard deviation over the noise input at any number of draws, whatever the mean details", () => {
    for (const count of [2, 3, 8]) {
      const got = conditionalSpread(Array.from({ length: count }, (_, i) => draw(0.5, i)));
      // Two draws: 4 standard errors of 0.5 * 0.756 / sqrt(20000).
      expectClose([got], [0.5], { rtol: 0, atol: 0.011, what: `${count} draws` });
    }
  });

  test("is 0 when the noise is ignored, and the exact half-normal mean for two draws a distance apart", () => {
    expect(conditionalSpread([mean, mean, mean])).toBeLessThan(1e-15);
    // The sample deviation of {0, 1} is 1 / sqrt 2; c4(2) = sqrt(2 / pi).
    expectClose([conditionalSpread([[0], [1]])], [Math.sqrt(Math.PI) / 2]);
  });

  test("refuses fewer than two draws or draws of different lengths", () => {
    for (const draws of [[], [[1]], [[1], [1, 2]], [[], []]]) {
      expect(() => conditionalSpread(draws), JSON.stringify(draws)).toThrow(
        "expected two or more of one positive length",
      );
    }
  });
});

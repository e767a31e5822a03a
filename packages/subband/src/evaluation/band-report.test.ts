import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { type Planes, planes } from "../wavelet/planes.ts";
import { bandReport, bandStatistics, conditionalSpread } from "./band-report.ts";

const noise = (n: number, std: number): Planes =>
  planes(
    rng(8, "bands")
      .fillNormal(new Float32Array(n * 384))
      .map((value) => std * value),
    [n, 16, 24],
  );

describe("bandStatistics()", () => {
  test("of white Gaussian noise: std halves at each level on the image-range pyramid, kurtosis 3 in every band", () => {
    const got = bandStatistics(noise(200, 0.4), 2);
    expect(got.map(({ level, band }) => `${band}${level}`)).toEqual([
      "LH1",
      "HL1",
      "HH1",
      "LH2",
      "HL2",
      "HH2",
      "LL2",
    ]);
    for (const { level, band, std, kurtosis, hoyer } of got) {
      // 4800 coefficients on level 2: 4 standard errors of std / sqrt(2 n) and sqrt(24 / n).
      expectClose([std], [0.4 / 2 ** (band === "LL" ? level : level - 1)], {
        rtol: 0.041,
        atol: 0,
        what: `${band}${level}, std`,
      });
      // |x|_1 / |x|_2 = sqrt(2 n / pi), to sqrt((pi / 2 - 1) / n) relative; sqrt(n) is 69 or more.
      expectClose([hoyer], [1 - Math.sqrt(2 / Math.PI)], {
        rtol: 0,
        atol: 0.04,
        what: `${band}${level}, hoyer`,
      });
      expectClose([kurtosis], [3], { rtol: 0, atol: 0.29, what: `${band}${level}, kurtosis` });
    }
  });

  test("of stripes: all in one band, with the kurtosis 1 of two equal values", () => {
    // Columns alternate between +s and -s, the sign s differing by block: only HL1 is not 0, and it is +-2.
    const stripes = Float32Array.from({ length: 384 }, (_, i) => {
      const [y, x] = [Math.floor(i / 24), i % 24];
      return (x % 2 === 0 ? 1 : -1) * ((Math.floor(x / 2) + Math.floor(y / 2)) % 2 === 0 ? 1 : -1);
    });
    for (const { level, band, std, kurtosis } of bandStatistics(planes(stripes, [16, 24]), 2)) {
      const here = level === 1 && band === "HL";
      expectClose([std], [here ? 2 : 0], { what: `${band}${level}, std` });
      expectClose([kurtosis], [here ? 1 : Number.NaN], { what: `${band}${level}, kurtosis` });
    }
  });

  test("without levels measures the pixels", () => {
    const got = bandStatistics(planes(Float32Array.of(1, 3, 1, 3), [2, 2]), 0);
    expect(got).toEqual([{ level: 0, band: "LL", std: 1, kurtosis: 1, hoyer: 0 }]);
  });

  test("the sparsity of one strong coefficient among many is 1, whatever its strength", () => {
    const one = new Float32Array(2 * 256 * 256);
    one.set([3, -3], 512);
    const found = bandStatistics(planes(one, [2, 256, 256]), 1).find(({ band }) => band === "HL")!;
    // Of n coefficients about their mean m / n: |x|_1 = 2 m (1 - 1 / n), |x|_2 = m sqrt(1 - 1 / n).
    const n = 2 * 128 * 128;
    const expected = (Math.sqrt(n) - 2 * Math.sqrt(1 - 1 / n)) / (Math.sqrt(n) - 1);
    expectClose([found.hoyer], [expected], { rtol: 1e-9 });
  });

  test("refuses sides that are not multiples of 2^levels, and lines", () => {
    expect(() => bandStatistics(noise(1, 1), 4)).toThrow("shape [1, 16, 24] on 4 levels");
    expect(() => bandStatistics(planes(new Float32Array(16), [16]), 1)).toThrow(
      "expected [..., height, width]",
    );
  });
});

describe("bandReport()", () => {
  test("of images half as contrasty: every deviation is half, and neither kurtosis nor sparsity changes", () => {
    const real = bandStatistics(noise(20, 1), 2);
    const report = bandReport(bandStatistics(noise(20, 0.5), 2), real);
    expect(report.length).toBe(7);
    for (const { level, band, stdRatio, kurtosisRatio, hoyerRatio, generated, real: theirs } of report) {
      expectClose([stdRatio], [0.5], { what: `${band}${level}` });
      expectClose([generated.kurtosis], [theirs.kurtosis], { what: `${band}${level}` });
      expectClose([kurtosisRatio, hoyerRatio], [1, 1], { what: `${band}${level}` });
    }
  });

  test("refuses lists of different bands", () => {
    const one = bandStatistics(noise(1, 1), 1);
    expect(() => bandReport(one, bandStatistics(noise(1, 1), 2))).toThrow(
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

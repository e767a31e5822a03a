import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { compareDraws } from "./calibration.ts";

const COUNT = 300;
const SHAPE = [COUNT, 1, 8, 8] as const;
/** Pictures of white noise about a pattern that all share. */
const draw = (seed: number, deviation: number, off = 0): Float32Array => {
  const random = rng(seed, "calibration");
  return Float32Array.from(
    { length: COUNT * 64 },
    (_, i) => Math.sin(i % 64) + (i % 2) * off + deviation * random.normal(),
  );
};

describe("compareDraws()", () => {
  test.each([0.5, 1, 2])("draws of %d times the true deviation: 2 k^2 / (1 + k^2) in every band", (k) => {
    const found = compareDraws([draw(1, k), draw(2, k)], draw(3, 1), SHAPE, 2);
    expect(found.map(({ level, band }) => `${band}${level}`)).toEqual([
      ...["LH1", "HL1", "HH1"],
      ...["LH2", "HL2", "HH2"],
    ]);
    for (const { level, band, ratio, standardError } of found) {
      const what = `${band}${level}: ${ratio} +- ${standardError}`;
      expect(Math.abs(ratio - (2 * k * k) / (1 + k * k)), what).toBeLessThan(4 * standardError);
      // 4800 coefficients at level 1, 1200 at level 2.
      expect(standardError, what).toBeLessThan(level === 1 ? 0.04 : 0.08);
    }
  });

  test("draws that are off the truth are below 1, and draws without noise have 0", () => {
    const off = compareDraws([draw(1, 1, 2), draw(2, 1, 2)], draw(3, 1), SHAPE, 1);
    // Columns that alternate by 2 are off by 2 in HL alone, where |X - y|^2 becomes 2 + 4: 1/3.
    expectClose(
      off.map(({ ratio }) => ratio),
      [1, 1 / 3, 1],
      { rtol: 0, atol: 0.12 },
    );
    const same = draw(1, 1);
    const still = compareDraws([same, same], draw(3, 1), SHAPE, 1);
    expect(still.map(({ ratio }) => ratio)).toEqual([0, 0, 0]);
  });

  test("the standard error is that of many repetitions, where images differ in how hard they are", () => {
    const shape = [50, 1, 2, 2] as const;
    const reports = Array.from({ length: 300 }, (_, repetition) => {
      const random = rng(repetition, "repeated");
      const strength = Float64Array.from({ length: 50 }, () => Math.exp(random.normal() / 2));
      const pictures = () =>
        Float32Array.from({ length: 200 }, (__, i) => strength[Math.floor(i / 4)]! * random.normal());
      return compareDraws([pictures(), pictures()], pictures(), shape, 1)[0]!;
    });
    const mean = reports.reduce((sum, { ratio }) => sum + ratio / 300, 0);
    const spread = Math.sqrt(reports.reduce((sum, { ratio }) => sum + (ratio - mean) ** 2 / 299, 0));
    const told = reports.reduce((sum, { standardError }) => sum + standardError / 300, 0);
    // A deviation of 300 numbers is known to 4 %; linearisation is off by some percent for 50 images.
    expectClose([told], [spread], { rtol: 0.2, atol: 0 });
  });
});

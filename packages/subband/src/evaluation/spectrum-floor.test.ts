import { rng } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { spectrumFloor } from "./spectrum-floor.ts";

/** Spectra of 4 frequencies: chi-square of two degrees about 1, the law of a periodogram, at a level of the image. */
function spectra(count: number, level: (i: number) => number): Float64Array[] {
  const random = rng(1, "spectra");
  return Array.from({ length: count }, (_, i) =>
    Float64Array.from({ length: 4 }, () => -level(i) * Math.log(1 - random.uint32() / 2 ** 32)),
  );
}

/** E |log10 (a / b)| of means of m exponentials each, by the normal law that holds for large m. */
const expected = (m: number): number => Math.sqrt(2 / Math.PI) * Math.sqrt(2 / m) * Math.LOG10E;

describe("spectrumFloor()", () => {
  test("is the sampling error of sets of the sizes compared, whether or not there are enough images", () => {
    const images = spectra(4000, () => 1);
    for (const [count, generated, real] of [
      [4000, 500, 500],
      [1000, 1000, 1000],
      [1000, 4000, 1000],
    ] as const) {
      const floor = spectrumFloor(images.slice(0, count), { generated, real }, 0)!;
      const harmonic = 2 / (1 / generated + 1 / real);
      // 8 divisions of 3 frequencies: a standard error of about 15 %.
      expect(Math.abs(floor / expected(harmonic) - 1), `${generated} and ${real} of ${count}`).toBeLessThan(
        0.5,
      );
    }
  });

  test("does not depend on how a folder is sorted", () => {
    // The first half is of another kind; halves of neighbours would differ by log10(4) = 0.6.
    const sorted = spectra(400, (i) => (i < 200 ? 1 : 4));
    expect(spectrumFloor(sorted, { generated: 200, real: 200 }, 0)).toBeLessThan(0.1);
  });

  test("is nothing of a single image", () => {
    expect(
      spectrumFloor(
        spectra(1, () => 1),
        { generated: 9, real: 1 },
        0,
      ),
    ).toBeUndefined();
  });
});

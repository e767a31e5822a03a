/** @module The layout of bands: names, shapes, packing and stacking. */
import { rng, UserError } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { BOUNDARY_MODES } from "./boundary-modes.ts";
import { bandLayout, packBands, splitDetails, stackDetails, unpackBands } from "./bands.ts";
import { dwt2 } from "./dwt.ts";
import { planes } from "./planes.ts";
import { wavedec2 } from "./wavedec.ts";

const images = (h: number, w: number) =>
  planes(rng(1, "bands-test").fillNormal(new Float32Array(2 * 3 * h * w)), [2, 3, h, w]);

describe("bandLayout()", () => {
  test("names bands from the coarsest, critically sampled for Haar on multiples of 2^levels", () => {
    const { bands, size } = bandLayout([3, 64, 32], 2);
    expect(bands.map(({ name, shape }) => `${name} ${shape.join("x")}`)).toEqual([
      "cA2 3x16x8",
      "cH2 3x16x8",
      "cV2 3x16x8",
      "cD2 3x16x8",
      "cH1 3x32x16",
      "cV1 3x32x16",
      "cD1 3x32x16",
    ]);
    expect(size).toBe(3 * 64 * 32);
    expect(bandLayout([1, 5, 7], 0).bands).toEqual([
      { name: "cA0", kind: "cA", level: 0, shape: [1, 5, 7], offset: 0, size: 35 },
    ]);
  });

  test("has the shapes of wavedec2() for every mode and odd sizes", () => {
    for (const name of ["haar", "db4", "bior2.2"])
      for (const mode of BOUNDARY_MODES) {
        const layout = bandLayout([3, 11, 14], 2, name, mode);
        const coeffs = wavedec2(images(11, 14), name, mode, 2).flat();
        expect(
          layout.bands.map(({ shape }) => [2, ...shape]),
          `${name}, ${mode}`,
        ).toEqual(coeffs.map(({ shape }) => shape));
      }
  });
});

describe("packBands()", () => {
  test("puts each image's bands one after another, and unpackBands() inverts it", () => {
    const coeffs = wavedec2(images(12, 10), "db2", "reflect", 2);
    const layout = bandLayout([3, 12, 10], 2, "db2", "reflect");
    const flat = packBands(coeffs, layout);
    expect(flat.shape).toEqual([2, layout.size]);
    expect(unpackBands(flat, layout)).toEqual(coeffs);
    const second = coeffs.flat().flatMap(({ data }) => [...data.subarray(data.length / 2)]);
    expect([...flat.data.subarray(layout.size)]).toEqual(second);
  });

  test("refuses a pyramid of another layout", () => {
    const coeffs = wavedec2(images(8, 8), "haar", "periodization", 1);
    expect(() => packBands(coeffs, bandLayout([3, 8, 8], 2))).toThrow(/has 4 bands, its layout 7/);
    expect(() => packBands(coeffs, bandLayout([3, 8, 4], 1))).toThrow(/band cA1 has shape \[2, 3, 4, 4\]/);
    const flat = packBands(coeffs, bandLayout([3, 8, 8], 1));
    expect(() => unpackBands(flat, bandLayout([3, 8, 4], 1))).toThrow(UserError);
  });
});

describe("stackDetails()", () => {
  test("makes channel b * c + i of band b and image channel i, and splitDetails() inverts it", () => {
    const [, details] = dwt2(images(6, 4), "haar");
    const stacked = stackDetails(details);
    expect(stacked.shape).toEqual([2, 9, 3, 2]);
    for (const [b, band] of details.entries())
      for (let image = 0; image < 2; image++)
        for (let i = 0; i < 3; i++) {
          const from = (image * 9 + b * 3 + i) * 6;
          const at = (image * 3 + i) * 6;
          expect(stacked.data.subarray(from, from + 6), `band ${b}, image ${image}, channel ${i}`).toEqual(
            band.data.subarray(at, at + 6),
          );
        }
    expect(splitDetails(stacked)).toEqual(details);
    expect(() => splitDetails(images(4, 4))).not.toThrow();
    expect(() => splitDetails(planes(new Float32Array(32), [2, 4, 4]))).toThrow(/multiple of 3 channels/);
  });
});

/** @module The transforms against outside truth: Matlab's results as kept by PyWavelets, and PyWavelets itself. */
import { readFileSync } from "node:fs";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { readNpz, sharedData } from "../../../../tests/support/npz.ts";
import { legacyRandn } from "../../../../tests/support/numpy-random.ts";
import { BOUNDARY_MODES, type BoundaryMode } from "./boundary-modes.ts";
import { dwt } from "./dwt.ts";
import { maxLevel } from "./filter-bank.ts";
import { type Planes, planes } from "./planes.ts";
import { wavedec2, waverec2 } from "./wavedec.ts";
import { listWavelets, wavelet } from "./wavelets.ts";

const MATLAB_NAMES: Readonly<Record<BoundaryMode, string>> = {
  zero: "zpd",
  constant: "sp0",
  symmetric: "sym",
  reflect: "symw",
  periodic: "ppd",
  smooth: "sp1",
  periodization: "per",
  antisymmetric: "asym",
  antireflect: "asymw",
};

interface Golden {
  readonly what: "dwt" | "wavedec2";
  readonly mode: BoundaryMode;
  readonly wavelet: string;
  readonly input: readonly number[];
  readonly levels: number;
  readonly bands: readonly { readonly shape: readonly number[]; readonly data: readonly number[] }[];
}
const golden = JSON.parse(
  readFileSync(new URL("../../../../tests/support/pywavelets-golden.json", import.meta.url), "utf8"),
) as { readonly cases: readonly Golden[] };

/** Element i is (7919 i mod 101 - 50) / 8, as in make-pywavelets-golden.py. */
function ramp(shape: readonly number[]): Planes<Float64Array> {
  const size = shape.reduce((product, n) => product * n, 1);
  return planes(
    Float64Array.from({ length: size }, (_, i) => (((7919 * i) % 101) - 50) / 8),
    shape,
  );
}

describe("dwt()", () => {
  const path = sharedData("pywavelets/dwt_matlabR2012a_result.npz");
  test.skipIf(path === undefined)("equals Matlab R2012a for every family and mode", () => {
    const arrays = readNpz(path!);
    // The inputs are not in the file: PyWavelets' own test draws them in this order from this seed.
    const randn = legacyRandn(1234);
    let compared = 0;
    for (const name of listWavelets().filter((each) => each !== "haar")) {
      const taps = wavelet(name).decLo.length;
      for (const n of [taps, taps + 1]) {
        const x = planes(randn(n), [n]);
        for (const mode of BOUNDARY_MODES) {
          const bands = dwt(x, name, mode);
          for (const [i, letter] of ["a", "d"].entries()) {
            const key = `${MATLAB_NAMES[mode]}_${name}_${n}_m${letter}`;
            // With PyWavelets' filters only rounding differs. Matlab's own are less exact (db38: 3e-5, coif5: 7e-5).
            for (const [suffix, atol] of [
              ["_pywtCoeffs", 1e-13],
              ["", 1e-4],
            ] as const) {
              expectClose(bands[i]!.data, arrays.get(key + suffix)!.data, {
                rtol: 1e-13,
                atol,
                what: key + suffix,
              });
              compared++;
            }
          }
        }
      }
    }
    expect(compared).toBe(arrays.size);
  });

  test("equals PyWavelets for signals shorter than the filter, in every mode", () => {
    for (const each of golden.cases.filter((one) => one.what === "dwt")) {
      const bands = dwt(ramp(each.input), each.wavelet, each.mode);
      for (const [i, band] of bands.entries()) {
        const what = `${each.wavelet}, ${each.mode}, length ${each.input[0]}, band ${i}`;
        expectClose(band.data, each.bands[i]!.data, { rtol: 1e-12, atol: 1e-11, what });
      }
    }
  });
});

describe("wavedec2()", () => {
  test("equals PyWavelets on two levels of a 7 x 10 image, in every mode, and waverec2() inverts it", () => {
    for (const each of golden.cases.filter((one) => one.what === "wavedec2")) {
      const x = ramp(each.input);
      const coeffs = wavedec2(x, each.wavelet, each.mode, each.levels);
      for (const [i, band] of coeffs.flat().entries()) {
        const what = `${each.wavelet}, ${each.mode}, band ${i}`;
        expect(band.shape, what).toEqual(each.bands[i]!.shape);
        expectClose(band.data, each.bands[i]!.data, { rtol: 1e-12, atol: 1e-11, what });
      }
      const back = waverec2(coeffs, each.wavelet, each.mode, [7, 10]);
      expectClose(back.data, x.data, { atol: 1e-10, what: `${each.wavelet}, ${each.mode}` });
    }
  });
});

describe("maxLevel()", () => {
  test("equals PyWavelets' dwt_max_level", () => {
    const cases: [n: number, name: string, level: number][] = [
      [32, "haar", 5],
      [31, "haar", 4],
      [1, "haar", 0],
      [13, "db4", 0],
      [14, "db4", 1],
      [28, "db4", 2],
      [512, "db2", 7],
    ];
    for (const [n, name, level] of cases) expect(maxLevel(n, name), `${n}, ${name}`).toBe(level);
  });
});

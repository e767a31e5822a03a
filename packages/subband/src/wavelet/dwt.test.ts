/** @module Properties of the one-level transforms over wavelets x modes x sizes; `pywavelets.test.ts` has the values. */
import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { boundaryMode, BOUNDARY_MODES } from "./boundary-modes.ts";
import { dwt, dwt2, idwt, idwt2 } from "./dwt.ts";
import { analyseAxis, coefficientLength } from "./filter-bank.ts";
import { type Planes, planes } from "./planes.ts";
import { listWavelets, wavelet } from "./wavelets.ts";

/** Some of each family, from the shortest filter to long ones. */
const WAVELETS = ["haar", "db2", "db5", "db20", "sym4", "sym20", "coif1", "coif5"].concat(
  ["bior1.1", "bior1.3", "bior2.2", "bior3.1", "bior6.8"],
  ["rbio1.5", "rbio2.4", "rbio3.9", "rbio4.4"],
);

function noise(shape: readonly number[], index = 0): Planes<Float64Array> {
  const size = shape.reduce((product, n) => product * n, 1);
  return planes(rng(1, "dwt-test", index).fillNormal(new Float64Array(size)), shape);
}

function inner(a: readonly Planes[], b: readonly Planes[]): number {
  let sum = 0;
  for (const [i, { data }] of a.entries())
    for (let k = 0; k < data.length; k++) sum += data[k]! * b[i]!.data[k]!;
  return sum;
}

describe("dwt()", () => {
  test("of long lines, which are copied whole, equals the same lines as columns, which are not", () => {
    for (const n of [63, 64, 65, 130]) {
      const x = noise([n]);
      const [cA, cD] = dwt(x, "db4", "symmetric");
      const count = cA.data.length;
      const twice = Float64Array.from({ length: 2 * n }, (_, i) => x.data[i >> 1]!); // two equal columns
      const [low, high] = [new Float64Array(2 * count), new Float64Array(2 * count)];
      analyseAxis(twice, { outer: 1, inner: 2 }, n, wavelet("db4"), "symmetric", low, high);
      const column = (band: Float64Array): Float64Array => band.filter((_, i) => i % 2 === 1);
      expect(cA.data, `low, length ${n}`).toEqual(column(low));
      expect(cD.data, `high, length ${n}`).toEqual(column(high));
      expectClose(idwt(cA, cD, "db4", "symmetric", n).data, x.data, {
        rtol: 0,
        atol: 1e-10,
        what: `length ${n}`,
      });
    }
  });
});

describe("idwt()", () => {
  test("inverts dwt() for every wavelet, mode and length, odd ones too", () => {
    for (const name of listWavelets())
      for (const mode of BOUNDARY_MODES)
        for (const n of [1, 2, 5, 8, 33]) {
          const x = noise([2, n]);
          const [cA, cD] = dwt(x, name, mode);
          const back = idwt(cA, cD, name, mode, n);
          expect(back.shape).toEqual([2, n]);
          expectClose(back.data, x.data, { rtol: 0, atol: 1e-10, what: `${name}, ${mode}, length ${n}` });
        }
  });

  test("is the transpose of dwt() for orthogonal wavelets with periodization, and keeps the energy", () => {
    for (const name of listWavelets().filter((each) => wavelet(each).orthogonal))
      for (const n of [2, 6, 32]) {
        const what = `${name}, length ${n}`;
        const x = noise([n]);
        const bands = dwt(x, name, "periodization");
        expectClose([inner(bands, bands)], [inner([x], [x])], { rtol: 1e-9, what });
        const other = [noise([n / 2], 1), noise([n / 2], 2)] as const;
        const transposed = idwt(...other, name, "periodization");
        expectClose([inner(bands, other)], [inner([x], [transposed])], { rtol: 1e-9, what });
      }
  });

  test("with the reversed bank is the transpose of dwt() for biorthogonal wavelets, periodized or zero-padded", () => {
    for (const name of listWavelets("bior"))
      for (const mode of ["periodization", "zero"] as const)
        for (const n of [24, 25]) {
          if (mode === "periodization" && n % 2 === 1) continue; // repeats a sample: that map is not this transpose
          const count = coefficientLength(n, name, mode);
          const x = noise([n]);
          const y = [noise([count], 1), noise([count], 2)] as const;
          const transposed = idwt(...y, name.replace("bior", "rbio"), mode, n);
          expectClose([inner(dwt(x, name, mode), y)], [inner([x], [transposed])], {
            rtol: 1e-11,
            what: `${name}, ${mode}, length ${n}`,
          });
        }
  });
});

describe("idwt2()", () => {
  test("inverts dwt2() for wavelets x modes x sizes, over a batch", () => {
    for (const name of WAVELETS)
      for (const mode of BOUNDARY_MODES)
        for (const [h, w] of [
          [8, 6],
          [7, 10],
          [9, 5],
          [1, 4],
        ] as const) {
          const x = noise([2, 3, h, w]);
          const back = idwt2(dwt2(x, name, mode), name, mode, [h, w]);
          expect(back.shape).toEqual([2, 3, h, w]);
          expectClose(back.data, x.data, { rtol: 0, atol: 1e-7, what: `${name}, ${mode}, ${h} x ${w}` });
        }
  });

  test("keeps float32 for float32 input, to its precision", () => {
    for (const name of WAVELETS) {
      const exact = noise([16, 12]);
      const x = planes(Float32Array.from(exact.data), [16, 12]);
      const [cA, [cH]] = dwt2(x, name, "symmetric");
      expect(cA.data).toBeInstanceOf(Float32Array);
      expectClose(cH.data, dwt2(exact, name, "symmetric")[1][0].data, { atol: 3e-6, what: name });
      const back = idwt2(dwt2(x, name), name, "symmetric");
      expectClose(back.data, x.data, { atol: 1e-5, what: name });
    }
  });
});

describe("dwt2()", () => {
  test("is the 1-D transform of the rows, then of the columns: cH is high along the columns", () => {
    // x[i][j] = u[i] v[j], so every band is an outer product of 1-D bands.
    const [u, v] = [noise([7], 1), noise([9], 2)];
    const x = planes(
      Float64Array.from({ length: 63 }, (_, k) => u.data[Math.floor(k / 9)]! * v.data[k % 9]!),
      [7, 9],
    );
    for (const name of WAVELETS)
      for (const mode of BOUNDARY_MODES) {
        const [uLow, uHigh] = dwt(u, name, mode);
        const [vLow, vHigh] = dwt(v, name, mode);
        const [cA, [cH, cV, cD]] = dwt2(x, name, mode);
        for (const [band, rows, columns, label] of [
          [cA, uLow, vLow, "cA"],
          [cH, uHigh, vLow, "cH"],
          [cV, uLow, vHigh, "cV"],
          [cD, uHigh, vHigh, "cD"],
        ] as const) {
          const outer = Array.from(rows.data).flatMap((a) => Array.from(columns.data, (b) => a * b));
          expectClose(band.data, outer, { rtol: 1e-10, atol: 1e-10, what: `${name}, ${mode}, ${label}` });
        }
      }
  });

  test("says what is wrong with its input", () => {
    const x = noise([4, 4]);
    expect(() => dwt2(x, "db99")).toThrow(/unknown wavelet: "db99"/);
    expect(() => dwt2(x, "haar", "symetric" as "symmetric")).toThrow(/Did you mean "symmetric"\?/);
    expect(() => boundaryMode("per")).toThrow(UserError);
    expect(() => dwt2(noise([4]), "haar")).toThrow(/dwt2 needs at least 2 axes; got shape \[4\]/);
    expect(() => dwt2({ data: x.data, shape: [4, 5] }, "haar")).toThrow(/\[4, 5\] does not hold 16 values/);
    expect(() => planes(new Float32Array(0), [0])).toThrow(UserError);
    const [cA, [cH, cV]] = dwt2(x, "haar");
    expect(() => idwt2([cA, [cH, cV, noise([2, 3])]], "haar")).toThrow(/cA has \[2, 2\], cD has \[2, 3\]/);
    expect(() => idwt2([cA, [cH, cV, cV]], "haar", "symmetric", [4, 6])).toThrow(
      /reconstruct 4 or 3 samples, not 6/,
    );
    expect(() => idwt(noise([2]), noise([2]), "db4")).toThrow(/too few to invert db4/);
  });
});

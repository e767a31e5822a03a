/** @module Multilevel transforms: inversion at any size, energy, order and shapes of the bands. */
import { rng, UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { BOUNDARY_MODES } from "./boundary-modes.ts";
import { dwt2 } from "./dwt.ts";
import { type Planes, planes } from "./planes.ts";
import { wavedec, wavedec2, waverec, waverec2 } from "./wavedec.ts";
import { listWavelets, wavelet } from "./wavelets.ts";

function noise(shape: readonly number[]): Planes<Float64Array> {
  const size = shape.reduce((product, n) => product * n, 1);
  return planes(rng(1, "wavedec-test").fillNormal(new Float64Array(size)), shape);
}
const energy = (bands: readonly Planes[]): number => {
  let sum = 0;
  for (const { data } of bands) for (const x of data) sum += x * x;
  return sum;
};

describe("waverec()", () => {
  test("inverts wavedec() at odd lengths too", () => {
    for (const name of ["haar", "db3", "sym5", "coif2", "bior4.4", "rbio2.2"])
      for (const mode of BOUNDARY_MODES)
        for (const n of [1, 21, 37, 64]) {
          const x = noise([2, n]);
          const back = waverec(wavedec(x, name, mode, 3), name, mode, n);
          expectClose(back.data, x.data, { rtol: 0, atol: 1e-8, what: `${name}, ${mode}, length ${n}` });
        }
  });
});

describe("waverec2()", () => {
  test("inverts wavedec2() at odd sizes too, over a batch", () => {
    for (const name of ["haar", "db2", "sym4", "coif1", "bior2.2", "rbio3.3"])
      for (const mode of BOUNDARY_MODES)
        for (const [h, w] of [
          [16, 24],
          [15, 21],
          [13, 8],
        ] as const) {
          const x = noise([2, 3, h, w]);
          const back = waverec2(wavedec2(x, name, mode, 3), name, mode, [h, w]);
          expect(back.shape).toEqual([2, 3, h, w]);
          expectClose(back.data, x.data, { rtol: 0, atol: 1e-7, what: `${name}, ${mode}, ${h} x ${w}` });
        }
  });
});

describe("wavedec2()", () => {
  test("keeps the energy for orthogonal wavelets with periodization", () => {
    const x = noise([3, 16, 32]);
    for (const name of listWavelets().filter((each) => wavelet(each).orthogonal))
      expectClose([energy(wavedec2(x, name, "periodization", 3).flat())], [energy([x])], {
        rtol: 1e-9,
        what: name,
      });
  });

  test("by Haar, all levels at once are dwt2() again and again, to the last bit", () => {
    for (const [shape, levels] of [
      [[3, 8, 24], 3],
      [[2, 3, 4, 12], 2],
      [[6, 2], 1],
      [[16, 16], 4],
      [[8, 12], 3], // 12 is no multiple of 8: one level at a time
    ] as const)
      for (const data of [noise(shape).data, Float32Array.from(noise(shape).data)]) {
        const [cA, ...details] = wavedec2(
          planes<Float32Array | Float64Array>(data, shape),
          "haar",
          "zero",
          levels,
        );
        let low: Planes = planes<Float32Array | Float64Array>(data, shape);
        for (const level of details.toReversed()) {
          const [next, bands] = dwt2(low, "haar", "zero");
          expect(level, `[${shape.join(", ")}]`).toEqual(bands);
          low = next;
        }
        expect(cA, `[${shape.join(", ")}]`).toEqual(low);
      }
  });

  test("lists the coarsest level first and goes to the deepest useful level by default", () => {
    const [cA, ...details] = wavedec2(noise([3, 16, 32]), "haar");
    expect(cA.shape).toEqual([3, 1, 2]);
    expect(details.map(([cH]) => cH.shape)).toEqual([
      [3, 1, 2],
      [3, 2, 4],
      [3, 4, 8],
      [3, 8, 16],
    ]);
  });

  test("puts a constant image into cA alone, scaled by 2 a level", () => {
    for (const name of listWavelets().filter((each) => wavelet(each).orthogonal)) {
      const [cA, ...details] = wavedec2(planes(new Float64Array(64).fill(3), [8, 8]), name, "symmetric", 2);
      expectClose(cA.data, new Float64Array(cA.data.length).fill(12), { rtol: 1e-9, what: name });
      for (const band of details.flat())
        expectClose(band.data, new Float64Array(band.data.length), { atol: 1e-9, what: name });
    }
  });

  test("with 0 levels gives the input, and refuses levels that are no count", () => {
    const x = noise([4, 4]);
    expect(wavedec2(x, "haar", "zero", 0)).toEqual([x]);
    for (const levels of [-1, 1.5, Number.NaN])
      expect(() => wavedec2(x, "haar", "zero", levels), String(levels)).toThrow(UserError);
  });
});

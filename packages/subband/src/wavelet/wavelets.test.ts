/** @module Filter banks: the algebra that defines a perfect-reconstruction bank, and errors. */
import { UserError } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { listWavelets, wavelet } from "./wavelets.ts";

const sum = (values: readonly number[]): number => values.reduce((total, x) => total + x, 0);

/** sum_k a[k] b[k + shift]. */
const correlate = (a: readonly number[], b: readonly number[], shift: number): number =>
  sum(a.map((x, k) => x * (b[k + shift] ?? 0)));

describe("wavelet()", () => {
  test("is biorthogonal at even shifts for every wavelet", () => {
    for (const name of listWavelets()) {
      const { decLo, decHi, recLo, recHi } = wavelet(name);
      // Synthesis by `rec` of analysis by `dec`: the reversed analysis filter is dual to the synthesis filter.
      const [lo, hi] = [decLo.toReversed(), decHi.toReversed()];
      for (let shift = 0; shift < lo.length; shift += 2) {
        const one = shift === 0 ? 1 : 0;
        const got = [lo, hi].flatMap((dec) => [recLo, recHi].map((rec) => correlate(rec, dec, shift)));
        // Published symlet tables are exact to about 1e-11.
        expectClose(got, [one, 0, 0, one], { rtol: 0, atol: 5e-11, what: `${name}, shift ${shift}` });
      }
    }
  });

  test("has low-passes of gain sqrt(2) and high-passes of gain 0 for every wavelet", () => {
    for (const name of listWavelets()) {
      const { decLo, decHi, recLo, recHi } = wavelet(name);
      const gains = [sum(decLo), sum(recLo), sum(decHi), sum(recHi)];
      expectClose(gains, [Math.SQRT2, Math.SQRT2, 0, 0], { rtol: 0, atol: 5e-11, what: name });
    }
  });

  test("kills polynomials of degree < N with db N", () => {
    for (let order = 1; order <= 12; order++) {
      const { decHi } = wavelet(`db${order}`);
      for (let degree = 0; degree < order; degree++) {
        const centred = decHi.map((tap, k) => tap * ((k + 0.5) / decHi.length - 0.5) ** degree);
        expectClose([sum(centred)], [0], { atol: 1e-11, what: `db${order}, degree ${degree}` });
      }
    }
  });

  test("marks as orthogonal exactly the banks whose synthesis is the transpose of analysis", () => {
    for (const name of listWavelets()) {
      const { decLo, recLo, orthogonal } = wavelet(name);
      const transposed = decLo.every((tap, k) => tap === recLo[recLo.length - 1 - k]);
      // bior1.1 is Haar; PyWavelets, too, calls its family biorthogonal throughout.
      if (!name.endsWith("1.1")) expect(orthogonal, name).toBe(transposed);
    }
  });

  test("knows every family", () => {
    expect(wavelet("rbio3.1")).toMatchObject({ name: "rbio3.1", family: "rbio", orthogonal: false });
    expect(listWavelets("bior")).toHaveLength(15);
    expect(listWavelets("rbio")).toHaveLength(15);
    expect(listWavelets("db")).toHaveLength(38);
    expect(listWavelets("sym")).toEqual(Array.from({ length: 19 }, (_, i) => `sym${i + 2}`));
    expect(listWavelets("coif")).toHaveLength(17);
    expect(listWavelets("haar")).toEqual(["haar"]);
  });

  test("suggests the nearest name", () => {
    expect(() => wavelet("bior4.5")).toThrow(UserError);
    expect(() => wavelet("Haar")).toThrow(/unknown wavelet: "Haar"\. Did you mean "haar"\?/);
    for (const name of ["constructor", "", "db", "rbio9.9"])
      expect(() => wavelet(name), name).toThrow(UserError);
  });
});

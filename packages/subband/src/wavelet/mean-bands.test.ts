import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { splitMeans } from "./haar-means.ts";
import { analyseMeans, synthesiseMeans, wrappedPixels } from "./mean-bands.ts";
import { planes } from "./planes.ts";
import { isOrthogonal, listWavelets, orthogonalWavelet, wavelet } from "./wavelets.ts";

const ORTHOGONAL = (["haar", "db", "sym", "coif"] as const).flatMap((family) => listWavelets(family));

describe("analyseMeans()", () => {
  const shape = [2, 3, 12, 20] as const;
  const x = rng(3, "mean-bands").fillNormal(new Float64Array(2 * 3 * 12 * 20));

  test("is inverted by synthesiseMeans() and keeps a quarter of the energy, by every orthogonal wavelet", () => {
    const energy = (...arrays: Float64Array[]) =>
      arrays.reduce((total, array) => total + array.reduce((sum, value) => sum + value ** 2, 0), 0);
    for (const name of ORTHOGONAL) {
      const { low, details } = analyseMeans(planes(x, shape), name);
      expectClose(synthesiseMeans({ low, details }, name).data, x, { atol: 1e-7, what: name });
      expectClose([energy(low.data, details.data)], [energy(x) / 4], { rtol: 1e-7, what: name });
    }
  });

  test("by Haar is splitMeans(), to the last bit", () => {
    for (const name of ["haar", "db1"])
      expect(analyseMeans(planes(x, shape), name)).toEqual(splitMeans(planes(x, shape)));
  });

  test("keeps a constant, and has no details of it", () => {
    const half = planes(new Float64Array(8 * 8).fill(0.5), [1, 8, 8]);
    for (const name of ["haar", "db4", "sym8", "coif3"]) {
      const { low, details } = analyseMeans(half, name);
      expectClose(low.data, new Float64Array(16).fill(0.5), { rtol: 1e-9, what: name });
      expectClose(details.data, new Float64Array(48), { atol: 1e-9, what: name });
    }
  });

  test("refuses odd extents", () => {
    expect(() => analyseMeans(planes(new Float32Array(15), [1, 3, 5]), "db2")).toThrow(
      /^analyseMeans needs even height and width; got shape \[1, 3, 5\]/,
    );
  });
});

describe("wrappedPixels()", () => {
  test("is how far from an end bands see the other end", () => {
    for (const [name, levels] of [
      ["haar", 3],
      ["db2", 1],
      ["db2", 3],
      ["sym4", 2],
    ] as const) {
      // The bands of a unit pixel at the far end, which only the first coefficients and the last can see.
      const n = 256;
      let low = planes(new Float64Array(2 * n), [1, 2, n]);
      low.data.fill(1, n - 1, n);
      low.data.fill(1, 2 * n - 1);
      let seen = 0;
      for (let level = 1; level <= levels; level++) {
        // One row pair is one row of the next level; double it, so that there always are two.
        const bands = analyseMeans(low, name);
        const row = bands.low.data;
        const half = row.length / 2;
        let last = -1;
        for (let i = 0; i < half; i++) if (Math.abs(row[i]!) > 1e-12) last = i;
        seen = Math.max(seen, (last + 1) * 2 ** level);
        low = planes(Float64Array.from([...row, ...row]), [1, 2, row.length]);
      }
      const reach = wrappedPixels(name, levels);
      const unit = 2 ** levels;
      expect(seen, `${name}, ${levels} levels`).toBe(Math.ceil(reach / unit) * unit);
    }
  });
});

describe("orthogonalWavelet()", () => {
  test("takes every orthogonal wavelet and calls db1 what it is", () => {
    for (const name of listWavelets()) expect(isOrthogonal(name), name).toBe(wavelet(name).orthogonal);
    for (const name of ORTHOGONAL) expect(orthogonalWavelet(name)).toBe(name === "db1" ? "haar" : name);
    expect(isOrthogonal("toString")).toBe(false);
  });

  test("refuses others in one line", () => {
    expect(() => orthogonalWavelet("rbio3.1")).toThrow(
      /^wavelet "rbio3\.1" is biorthogonal: [^\n]* haar, dbN, symN or coifN/,
    );
    expect(() => orthogonalWavelet("coiff2")).toThrow(/^unknown wavelet: "coiff2"\. Did you mean "coif2"\?/);
  });
});

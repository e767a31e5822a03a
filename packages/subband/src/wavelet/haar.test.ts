/** @module The fast Haar kernels against the block formula and the general filter bank. */
import { rng } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { BOUNDARY_MODES } from "./boundary-modes.ts";
import { dwt, dwt2 } from "./dwt.ts";
import { analyseAxis } from "./filter-bank.ts";
import { isHaar, joinBlocks, splitBlocks } from "./haar.ts";
import { planes } from "./planes.ts";
import { listWavelets, wavelet } from "./wavelets.ts";

describe("splitBlocks()", () => {
  test("makes LL, LH, HL, HH of the block [[a, b], [c, d]] as the WMGM paper has them", () => {
    const [a, b, c, d] = [1, 20, 300, 4000] as const;
    const [cA, [cH, cV, cD]] = dwt2(planes(Float64Array.of(a, b, c, d), [2, 2]), "haar", "periodization");
    const got = [cA, cH, cV, cD].map((band) => band.data[0]!);
    expect(got).toEqual([(a + b + c + d) / 2, (a + b - c - d) / 2, (a - b + c - d) / 2, (a - b - c + d) / 2]);
  });

  test("equals the general filter bank for every width, over several planes, and joinBlocks() inverts it", () => {
    for (const width of [1, 2, 3, 4, 5, 7, 8, 9]) {
      const [batch, h, w] = [2, 4, 2 * width];
      const x = rng(1, "haar-test", width).fillNormal(new Float64Array(batch * h * w));
      const band = (): Float64Array => new Float64Array(batch * 2 * width);
      const fast = [band(), band(), band(), band()] as const;
      splitBlocks(x, width, ...fast);

      const half = (): Float64Array => new Float64Array(batch * h * width);
      const [low, high, slow] = [half(), half(), [band(), band(), band(), band()]];
      analyseAxis(x, { outer: batch * h, inner: 1 }, w, wavelet("haar"), "symmetric", low, high);
      const columns = { outer: batch, inner: width };
      analyseAxis(low, columns, h, wavelet("haar"), "symmetric", slow[0]!, slow[1]!);
      analyseAxis(high, columns, h, wavelet("haar"), "symmetric", slow[2]!, slow[3]!);
      for (const [i, values] of fast.entries())
        expectClose(values, slow[i]!, { atol: 1e-14, rtol: 1e-14, what: `width ${width}, band ${i}` });

      const back = new Float64Array(x.length);
      joinBlocks(...fast, width, back);
      expectClose(back, x, { atol: 1e-14, rtol: 1e-14, what: `width ${width}` });
    }
  });
});

describe("isHaar()", () => {
  test("knows Haar under its four names, whose boundary modes agree on even sizes", () => {
    expect(listWavelets().filter((name) => isHaar(wavelet(name)))).toEqual([
      "haar",
      "db1",
      "bior1.1",
      "rbio1.1",
    ]);
    const x = planes(rng(1, "haar-test").fillNormal(new Float64Array(6)), [6]);
    const zero = dwt(x, "haar", "zero");
    for (const mode of BOUNDARY_MODES) expect(dwt(x, "haar", mode), mode).toEqual(zero);
  });
});

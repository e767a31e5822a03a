import { constant, interpret, isNdArray, rng, type Tensor, treeMap } from "onnxgrad";
import { expectClose } from "onnxgrad/testing";
import { describe, expect, test } from "vitest";
import { initAttentionUnet, initAttentionUnetStatistics } from "../../nn/attention-unet.ts";
import type { Params } from "../../nn/layers.ts";
import { haarAnalysis } from "../../wavelet/graph.ts";
import { refine, storedLow } from "./bands.ts";
import { RELEASED_DEFECTS } from "./defects.ts";

const constants = <T>(tree: T): Params<T> =>
  treeMap(tree, isNdArray, ({ shape, data }) => constant(data, shape)) as Params<T>;
const values = (outputs: readonly Tensor[]): Float64Array[] => interpret(outputs, {}).map(({ data }) => data);
const draw = (purpose: string): Float64Array => rng(6, purpose).fillNormal(new Float64Array(256));

describe("refine()", () => {
  const params = initAttentionUnet(rng(6, "init"), { inputs: 2, outputs: 3, width: 2 });
  const generator = {
    params: constants(params),
    statistics: constants(initAttentionUnetStatistics(params)),
    phase: "inference" as const,
  };
  const shape = [1, 1, 16, 16];
  const low = draw("low").map((v) => 2 + v);
  const noise = constant(draw("noise"), shape);

  test("keeps the low band exactly and bounds details by 1, as released", () => {
    const { image, detail } = refine(generator, constant(low, shape), noise, 2);
    const bands = haarAnalysis(image);
    const [lowBack, detailBack, made] = values([bands.low, bands.detail, detail]);
    expectClose(lowBack!, low, { rtol: 1e-12 });
    expectClose(detailBack!, made!, { rtol: 1e-12, atol: 1e-12 });
    expect(Math.max(...made!.map(Math.abs))).toBeLessThan(1);
  });

  test("treats every level alike once unscaledBands is repaired: twice the band, twice the details", () => {
    const at = (level: number, unscaledBands: boolean) => {
      const scaled = constant(
        low.map((v) => 2 ** (level - 1) * v),
        shape,
      );
      return refine(generator, scaled, noise, level, { ...RELEASED_DEFECTS, unscaledBands }).detail;
    };
    const [one, two, releasedOne, releasedTwo] = values([
      at(1, false),
      at(2, false),
      at(1, true),
      at(2, true),
    ]);
    expectClose(
      two!,
      one!.map((v) => 2 * v),
      { rtol: 1e-9 },
    );
    const ratio = releasedTwo!.map((v, i) => v / (2 * releasedOne![i]!));
    expect(Math.max(...ratio.map((r) => Math.abs(r - 1)))).toBeGreaterThan(0.01);
  });
});

describe("storedLow()", () => {
  const range = { least: 0.5, greatest: 3.5 };

  test("rounds to 256 steps and brings back by 2^levels, whatever the range was", () => {
    const stored = storedLow(Float32Array.of(0.5, 3.5, 2, -1, 9), range, 2);
    // 2 is half way: 127.5 rounds to 128. Outside the range files saturate.
    expectClose(stored, [0, 4, (4 * 128) / 255, 0, 4], { rtol: 1e-6 });
  });

  test("gives a copy once eightBitLow is repaired", () => {
    const low = Float32Array.of(0.7, 3.1);
    const stored = storedLow(low, range, 2, { ...RELEASED_DEFECTS, eightBitLow: false });
    expect(stored).toEqual(low);
    expect(stored).not.toBe(low);
  });
});

import type { Rng, UserError } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { initAttentionUnet } from "../../nn/attention-unet.ts";
import { countParameters } from "../../nn/layers.ts";
import { FAITHFUL_DEFECTS, resolveWmgmFaithfulConfig, type WmgmFaithfulShape } from "./config.ts";
import { generatorNetwork, scaleOfStep } from "./detail.ts";

const resolve = (shape: Partial<WmgmFaithfulShape> = {}, images = 1000) =>
  resolveWmgmFaithfulConfig(
    { channels: 3, height: 128, width: 128, ...shape },
    { range: { least: 0, greatest: 4 }, images },
  );
/** Parameters are counted, not looked at. */
const zeros = { uniform: () => 0, normal: () => 0 } as unknown as Rng;

describe("resolveWmgmFaithfulConfig()", () => {
  test("gives the released numbers at the released size", () => {
    const { levels, detail, defects } = resolve();
    expect(levels).toBe(2);
    expect(detail).toMatchObject({
      generatorWidth: 64,
      discriminatorWidth: 64,
      batch: 128,
      lr: { generator: 1e-4, discriminator: 1e-5 },
      weightDecay: 0.01,
      weights: { adversarial: 0.1, reconstruction: 20, similarity: 0.5 },
      discriminatorEvery: 4,
      passImages: 1000,
    });
    expect(Object.values(defects)).toEqual(Object.values(defects).map(() => true));
  });

  test("at width 40 the generator has 14,253,102 parameters, as counted from the released code", () => {
    const network = generatorNetwork(resolve({ baseWidth: 40 }));
    expect(countParameters(initAttentionUnet(zeros, network))).toBe(14_253_102);
  });

  test("takes one level where two do not fit, and says what would", () => {
    expect(resolve({ height: 32, width: 96 }).levels).toBe(1);
    const refused = (shape: Partial<WmgmFaithfulShape>) => {
      try {
        resolve(shape);
      } catch (error) {
        return error as UserError;
      }
      throw new Error(`accepted ${JSON.stringify(shape)}`);
    };
    const size = refused({ height: 100, width: 64, levels: 2 });
    expect(size).toMatchObject({ code: "config/size" });
    expect(size.message).toContain("takes multiples of 64. Use --size 128x64, fewer --levels");
    expect(refused({ height: 24, width: 24 }).message).toContain("at 1 level:");
    expect(refused({ baseWidth: 9 })).toMatchObject({ code: "config/width" });
  });
});

describe("scaleOfStep()", () => {
  const orders = (images: number, total: number, defects = FAITHFUL_DEFECTS) => {
    const config = { ...resolve({ batch: 10 }, images), defects };
    return Array.from({ length: total / 10 }, (_, step) =>
      scaleOfStep(config, { step, progress: (10 * step) / total }),
    ).join("");
  };

  test("passes over the data for the finest scale, then for the coarser, whole batches only, and so on", () => {
    expect(orders(39, 240)).toBe("111222111222111222111222");
  });

  test("divides a budget of fewer than four epochs into four", () => {
    expect(orders(1000, 160)).toBe("1122112211221122");
  });

  test("takes turns step by step where that defect is repaired", () => {
    expect(orders(39, 120, { ...FAITHFUL_DEFECTS, scaleAfterScale: false })).toBe("121212121212");
  });
});

import { atOnce } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { untrainedTensors } from "../parts/untrained-tensors.testing.ts";
import { macsPerPixel } from "../parts/local/cost.ts";
import { local } from "./local.ts";
import { defaultLocalLevels, greatestDetails, resolveLocalConfig } from "./config.ts";
import { localUnet } from "../local-unet/local-unet.ts";
import { resolveLocalUnetConfig } from "../local-unet/config.ts";

const square = (side: number) => ({ channels: 1, height: side, width: side }) as const;

describe("resolveLocalConfig()", () => {
  test("has the published levels: a low-pass band of 40 x 40 for 160 and 320 pixels", () => {
    expect([40, 64, 160, 320].map((side) => defaultLocalLevels(square(side)))).toEqual([0, 1, 2, 3]);
  });

  test("takes the range of the noise from the greatest details, as published", () => {
    const { noiseSteps } = resolveLocalConfig(square(160), [0.4999, 0.3, 0.2]);
    expect(noiseSteps).toEqual({ low: 255, details: [127, 76] });
    expect(resolveLocalConfig(square(64), [0]).noiseSteps.details).toEqual([2]);
  });

  test("measures details of images in [-1, 1] as of [0, 1]", () => {
    // A block of 0 and 1 in columns: the detail across is 1/2, all else is 0.
    const image = Float32Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? -1 : 1));
    const shape = { count: 1, channels: 1, height: 4, width: 4, levels: 2, wavelet: "haar" };
    expect(atOnce(greatestDetails(shape, () => image))).toEqual([0.5, 0]);
  });
});

describe("local()", () => {
  test("gives the published networks shares by their 665,856 and 214,144 parameters", () => {
    const { stages } = local(resolveLocalConfig(square(160), [0.5, 0.5]));
    const all = 665_856 + 2 * 214_144;
    expect(stages.map(({ name, share }) => [name, share])).toEqual([
      ["low", 665_856 / all],
      ["details-2", 214_144 / all],
      ["details-1", 214_144 / all],
    ]);
  });
});

describe("localUnet()", () => {
  test("costs a third of the published model of 2 levels at most, gray or colour, and no more at twice the width", () => {
    for (const channels of [1, 3] as const) {
      const shape = { ...square(64), channels };
      const macs = (system: ReturnType<typeof local>) =>
        macsPerPixel(system.local!.model(untrainedTensors(system)));
      const ours = (baseWidth?: number) => macs(localUnet(resolveLocalUnetConfig({ ...shape, baseWidth })));
      const published = macs(local(resolveLocalConfig({ ...shape, levels: 2 }, [0.5, 0.5])));
      expect(ours(), `${channels} channels`).toBeLessThanOrEqual(published / 3);
      expect(ours(64), `${channels} channels`).toBeLessThanOrEqual(published);
    }
  });
});

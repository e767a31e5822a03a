import { full, rng } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { initBandUnet } from "../../../nn/band-unet.ts";
import {
  type BfCnnConfig,
  conditionalConfig,
  flatConfig,
  initBfCnn,
  initBfCnnStatistics,
  lowPassConfig,
} from "../../../nn/bf-cnn.ts";
import { macsPerPixel, parametersOf } from "./cost.ts";
import { localModel, unetModel } from "./model.ts";

const network = (config: BfCnnConfig) => {
  const params = initBfCnn(rng(0, "local-cost"), config);
  const gains = params.gains.map(({ shape }) => full(shape, 1));
  return { params: { ...params, gains }, statistics: initBfCnnStatistics(params) };
};
const flat = localModel(network(flatConfig(1, 43)), []);
const pyramid = localModel(network(lowPassConfig(1)), [
  network(conditionalConfig(1, 13)),
  network(conditionalConfig(1, 13)),
]);
const unet = unetModel(
  initBandUnet(rng(0, "local-cost"), { channels: 1, widths: [8, 16], encoder: [1, 2], decoder: [1, 0] }),
);
/** Of the band U-Net above: entries, blocks, both ways between the levels, exit. */
const fine = 8 * 4 * 9 + 2 * 2 * 8 * 8 * 9 + 4 * 8 * 9;
const coarse = 16 * 4 * 9 + 2 * 2 * 16 * 16 * 9 + 2 * 8 * 16;

describe("parametersOf()", () => {
  test("is what was published", () => {
    expect(parametersOf(flat)).toBe(702_784);
    expect(parametersOf(pyramid)).toBe(665_856 + 2 * 214_144);
  });

  test("counts a band U-Net", () => {
    const biases = 2 * 8 + 2 * 16;
    expect(parametersOf(unet)).toBe(fine + coarse + biases);
  });
});

describe("macsPerPixel()", () => {
  test("is the number of weights in convolutions, of a flat model", () => {
    // 19 x 64 of the published parameters are gains, which are folded away.
    expect(macsPerPixel(flat)).toBe(702_784 - 19 * 64);
  });

  test("counts each level of a pyramid at its share of the pixels", () => {
    const low = 665_856 - 18 * 64;
    const detail = 214_144 - 19 * 64;
    expect(macsPerPixel(pyramid)).toBe(low / 16 + detail / 16 + detail / 4);
  });

  test("counts each level of a band U-Net at its share of the pixels", () => {
    expect(macsPerPixel(unet)).toBe(fine / 4 + coarse / 16);
  });
});

/** @module A mistake in a network is told by its place: that of the parameters of the layer that does not fit. */
import { GraphError, input, type NdArray, isNdArray, type Tensor, treeLeaves, treeMap } from "onnxgrad";
import { describe, expect, test } from "vitest";
import { attentionUnet, initAttentionUnet, initAttentionUnetStatistics } from "./attention-unet.ts";
import { bandUnet, initBandUnet } from "./band-unet.ts";
import { bfCnn, foldedBfCnn, initBfCnn, initBfCnnStatistics } from "./bf-cnn.ts";
import { conditionalDiscriminator, initConditionalDiscriminator } from "./conditional-discriminator.ts";
import { detailGenerator, initDetailGenerator } from "./detail-generator.ts";
import { iddpmUnet, initIddpmUnet } from "./iddpm-unet.ts";
import { imageClassifier, initImageClassifier, initImageClassifierStatistics } from "./image-classifier.ts";
import { type Params, SHAPES } from "./layers.ts";
import {
  initPixelDiscriminator,
  initPixelDiscriminatorStatistics,
  pixelDiscriminator,
} from "./pixel-discriminator.ts";
import { initScoreUnet, scoreUnet } from "./score-unet.ts";

/** The parameters of a network, and how it is traced with them. */
interface Network {
  readonly params: object;
  trace(params: never): unknown;
}

const tensorsOf = <P extends object>(arrays: P): Params<P> =>
  treeMap(arrays as never, isNdArray, ({ shape }: NdArray): Tensor => input("w", shape)) as Params<P>;
const network = <P extends object>(params: P, trace: (params: Params<P>) => unknown): Network => ({
  params,
  trace,
});
const x = (...shape: number[]) => input("x", shape);

const attention = initAttentionUnet(SHAPES, { inputs: 2, outputs: 3, width: 2 });
const discriminator = initPixelDiscriminator(SHAPES, { channels: 1, width: 2, blocks: 2 });
const classifier = { channels: 1, classes: 4, widths: [2, 3, 4, 5] } as const;
const bfConfig = { inputs: 1, outputs: 1, kernels: [3, 1, 3, 3], width: 4 };
const bf = initBfCnn(SHAPES, bfConfig);

const NETWORKS: Readonly<Record<string, Network>> = {
  scoreUnet: network(
    initScoreUnet(SHAPES, { channels: 1, width: 4, multipliers: [1, 2], blocks: 2, attention: [1] }),
    (params) => scoreUnet(params, x(2, 1, 4, 4), x(2)),
  ),
  iddpmUnet: network(
    initIddpmUnet(SHAPES, {
      ...{ channels: 1, conditioning: 1, width: 4, multipliers: [1, 2], blocks: 1, attention: [1] },
      ...{ heads: 2, scaleShiftNorm: true },
    }),
    (params) =>
      iddpmUnet(params, { x: x(2, 1, 4, 4), time: x(2), conditioning: x(2, 1, 4, 4) }, { heads: 2 }),
  ),
  detailGenerator: network(
    initDetailGenerator(SHAPES, {
      ...{ channels: 1, noiseAt: "middle", noiseChannels: 2, widths: [4, 8], blocks: 2 },
    }),
    (params) =>
      detailGenerator(params, {
        ...{ low: x(2, 1, 4, 4), noise: x(2, 2, 2, 2) },
        ...{ level: x(1), augmentation: x(2) },
      }),
  ),
  conditionalDiscriminator: network(
    initConditionalDiscriminator(SHAPES, { inputs: 4, widths: [4, 8] }),
    (params) => conditionalDiscriminator(params, x(2, 4, 4, 4), x(1)),
  ),
  attentionUnet: network(attention, (params) =>
    attentionUnet(params, tensorsOf(initAttentionUnetStatistics(attention)), x(2, 2, 16, 16), "training"),
  ),
  pixelDiscriminator: network(discriminator, (params) =>
    pixelDiscriminator(
      params,
      tensorsOf(initPixelDiscriminatorStatistics(discriminator)),
      x(2, 1, 8, 8),
      "training",
    ),
  ),
  imageClassifier: network(initImageClassifier(SHAPES, classifier), (params) =>
    imageClassifier(params, tensorsOf(initImageClassifierStatistics(classifier)), x(2, 1, 8, 8), "training"),
  ),
  bandUnet: network(
    initBandUnet(SHAPES, { channels: 1, widths: [4, 8], encoder: [1, 2], decoder: [1, 0] }),
    (params) =>
      bandUnet(params, [
        { low: x(1, 1, 4, 4), detail: x(1, 3, 4, 4) },
        { low: x(1, 1, 2, 2), detail: x(1, 3, 2, 2) },
      ]),
  ),
  bfCnn: network(bf, (params) =>
    bfCnn(params, tensorsOf(initBfCnnStatistics(bf)), x(2, 1, 4, 4), "training"),
  ),
  foldedBfCnn: network({ layers: bf.weights }, (params) => foldedBfCnn(params.layers, x(2, 1, 4, 4))),
};

/** What the last part of a name says of a layer, not of a place. */
const PARTS = /\.(?:weight|bias|scale|shift)$/;

/** The place that an error of `trace` names; undefined when there is none. */
function placeOf({ trace }: Network, params: object): string | undefined {
  try {
    trace(tensorsOf(params) as never);
  } catch (error) {
    if (error instanceof GraphError) return / at ([\w.]+):/.exec(error.message)?.[1] ?? error.message;
    throw error;
  }
  return undefined;
}

describe.each(Object.entries(NETWORKS))("%s", (name, each) => {
  test("is right as it is", () => {
    expect(placeOf(each, each.params)).toBeUndefined();
  });

  test("names the layer of each array that is too large", () => {
    const leaves = treeLeaves<NdArray>(each.params as never, isNdArray);
    // One number fits everywhere.
    for (const { name: wrong, leaf } of leaves.filter(({ leaf: { shape } }) => shape.some((n) => n > 1))) {
      const damaged = treeMap(each.params as never, isNdArray, (array: NdArray) =>
        array === leaf ? { ...array, shape: array.shape.map((n) => n + 2) } : array,
      );
      // Those of a bias-free network are in lists, by kind.
      const layer = wrong
        .replace(PARTS, "")
        .replace(
          /^(?:weights\.(\d+)|gains\.(\d+))$/,
          (_, of?: string, after?: string) => `layers.${of ?? Number(after) + 1}`,
        );
      expect(placeOf(each, damaged as object), wrong).toBe(`${name}.${layer}`);
    }
  });
});

/**
 * @module A narrow residual network that names what is in a small picture. Its features, the mean over space of the last
 * maps, are what feature distances are computed on; the classes are only what it learns them by.
 */
import { add, conv2d, maxPool2d, mean, type NdArray, relu, type Rng, scope, type Tensor } from "onnxgrad";
import {
  type BatchNormPass,
  batchNormPass,
  type BatchStatistics,
  initBatchStatistics,
  type Phase,
} from "./batch-norm.ts";
import type { AffineParams } from "./blocks.ts";
import { at, initAffine, initLinear, initWeight, linear, type Params, type Weighted } from "./layers.ts";

/** Size of an {@link imageClassifier}. */
export interface ImageClassifierConfig {
  /** Channels of the images. */
  readonly channels: number;
  readonly classes: number;
  /** Feature maps at full, half, quarter and eighth extents; the last is the number of features. */
  readonly widths: readonly [number, number, number, number];
}

/** A 3 x 3 convolution without bias, and its normalisation. */
interface LayerParams {
  /** [out, in, 3, 3]. */
  readonly weight: NdArray;
  readonly norm: AffineParams;
}

/** The two layers of a residual block. */
type BlockParams = readonly [LayerParams, LayerParams];

/** Running statistics of a residual block. */
type BlockStatistics = readonly [BatchStatistics, BatchStatistics];

/** Parameters of an {@link imageClassifier}. */
export interface ImageClassifierParams {
  readonly stem: LayerParams;
  /** From each width to the next, before its pooling. */
  readonly down: readonly LayerParams[];
  /** Residual blocks at the half and at the eighth extents. */
  readonly blocks: readonly BlockParams[];
  readonly classes: Weighted;
}

/** Running statistics of every normalisation, in the same places as the layers. */
export interface ImageClassifierStatistics {
  readonly stem: BatchStatistics;
  readonly down: readonly BatchStatistics[];
  readonly blocks: readonly BlockStatistics[];
}

/** Draws the parameters, by He et al. (2015): 927,010 for three channels, ten classes and widths 24, 48, 96, 192. */
export function initImageClassifier(
  random: Rng,
  { channels, classes, widths }: ImageClassifierConfig,
): ImageClassifierParams {
  const layer = (inputs: number, outputs: number): LayerParams => ({
    weight: initWeight(random, [outputs, inputs, 3, 3], 9 * inputs, { gain: Math.SQRT2 }),
    norm: initAffine(outputs),
  });
  const [first, half, quarter, eighth] = widths;
  const block = (width: number) => [layer(width, width), layer(width, width)] as const;
  return {
    stem: layer(channels, first),
    down: [layer(first, half), layer(half, quarter), layer(quarter, eighth)],
    blocks: [block(half), block(eighth)],
    classes: initLinear(random, eighth, classes),
  };
}

/** Statistics before any batch. */
export function initImageClassifierStatistics({ widths }: ImageClassifierConfig): ImageClassifierStatistics {
  const [first, half, quarter, eighth] = widths;
  const block = (width: number) => [initBatchStatistics(width), initBatchStatistics(width)] as const;
  return {
    stem: initBatchStatistics(first),
    down: [half, quarter, eighth].map(initBatchStatistics),
    blocks: [block(half), block(eighth)],
  };
}

/** What it makes of images: features [n, widths[3]], and the classes' logits [n, classes]. */
export interface Classified {
  readonly features: Tensor;
  readonly logits: Tensor;
}

/**
 * Classifies images [n, channels, height, width] in [-1, 1], extents multiples of 8. In training its statistics come
 * with the features and logits.
 */
export function imageClassifier(
  params: Params<ImageClassifierParams>,
  statistics: Params<ImageClassifierStatistics>,
  images: Tensor, // [n, c, h, w]
  phase: Phase,
): Classified & { readonly statistics: Params<ImageClassifierStatistics> } {
  return scope("imageClassifier", () => {
    const pass = batchNormPass(phase);
    const { down, blocks } = params;
    const go = (x: Tensor, i: number) =>
      maxPool2d(
        scope("down", () => at(down, i, layer, statistics.down[i]!, x, pass)),
        2,
      );
    const residual = (x: Tensor, i: number) =>
      scope("blocks", () => add(x, at(blocks, i, block, statistics.blocks[i]!, x, pass)));
    const full = at(params, "stem", layer, statistics.stem, images, pass); // [n, widths[0], h, w]
    const half = residual(go(full, 0), 0); // [n, widths[1], h/2, w/2]
    const quarter = go(half, 1); // [n, widths[2], h/4, w/4]
    const eighth = residual(go(quarter, 2), 1); // [n, widths[3], h/8, w/8]
    const features = mean(eighth, [2, 3]); // [n, widths[3]]
    const logits = at(params, "classes", linear, features); // [n, classes]
    return { features, logits, statistics: pass.next(statistics) };
  });
}

/** relu(norm(conv(x))) */
function layer(
  params: Params<LayerParams>,
  statistics: Params<BatchStatistics>,
  x: Tensor,
  { normalize }: BatchNormPass,
): Tensor {
  return relu(at(params, "norm", normalize, statistics, conv2d(x, params.weight, { padding: 1 })));
}

/** layer(layer(x)), what a residual block adds. */
function block(
  params: Params<BlockParams>,
  statistics: Params<BlockStatistics>,
  x: Tensor,
  pass: BatchNormPass,
): Tensor {
  const inner = at(params, 0, layer, statistics[0], x, pass);
  return at(params, 1, layer, statistics[1], inner, pass);
}

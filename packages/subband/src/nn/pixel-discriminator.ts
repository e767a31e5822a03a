/**
 * @module The released discriminator of WMGM: strided residual blocks with batch normalisation over the image in pixels
 * (not its bands), a mean over space and two linear layers with dropout between them.
 */
import { add, conv2d, leakyRelu, mean, mul, type NdArray, type Rng, scope, type Tensor } from "onnxgrad";
import {
  type BatchNormPass,
  batchNormPass,
  type BatchStatistics,
  initBatchStatistics,
  type Normalized,
  type Phase,
} from "./batch-norm.ts";
import type { AffineParams } from "./blocks.ts";
import {
  at,
  conv,
  initAffine,
  initConv,
  initLinear,
  initWeight,
  linear,
  type Params,
  type Weighted,
} from "./layers.ts";

/** Size of a {@link pixelDiscriminator}. */
export interface PixelDiscriminatorConfig {
  /** Image channels. */
  readonly channels: number;
  /** Feature channels of the first layer; each block doubles them. Released: 64. */
  readonly width: number;
  /** Blocks, each halving the extents (rounded up). Default 5, as released. */
  readonly blocks?: number;
}

const PYTORCH = { scheme: "uniform" } as const;

interface BlockParams {
  readonly conv1: Weighted;
  readonly norm1: AffineParams;
  readonly conv2: Weighted;
  readonly norm2: AffineParams;
  /** 1 x 1, without bias. */
  readonly shortcut: NdArray;
  readonly shortcutNorm: AffineParams;
}

interface BlockStatistics {
  readonly norm1: BatchStatistics;
  readonly norm2: BatchStatistics;
  readonly shortcutNorm: BatchStatistics;
}

/** Parameters of a {@link pixelDiscriminator}. */
export interface PixelDiscriminatorParams {
  readonly input: Weighted;
  readonly inputNorm: AffineParams;
  readonly blocks: readonly BlockParams[];
  readonly hidden: Weighted;
  readonly score: Weighted;
}

/** Running statistics of a {@link pixelDiscriminator}, in the structure of its parameters. */
export interface PixelDiscriminatorStatistics {
  readonly inputNorm: BatchStatistics;
  readonly blocks: readonly BlockStatistics[];
}

function initBlock(rng: Rng, channels: number): BlockParams {
  return {
    conv1: initConv(rng, channels, channels, 3, PYTORCH),
    norm1: initAffine(channels),
    conv2: initConv(rng, channels, 2 * channels, 3, PYTORCH),
    norm2: initAffine(2 * channels),
    shortcut: initWeight(rng, [2 * channels, channels, 1, 1], channels, PYTORCH),
    shortcutNorm: initAffine(2 * channels),
  };
}

/** leaky(norm2(conv2(leaky(norm1(conv1(x))))) + norm(shortcut(x))): [n, c, h, w] -> [n, 2c, ceil(h/2), ceil(w/2)]. */
function block(
  params: Params<BlockParams>,
  statistics: Params<BlockStatistics>,
  x: Tensor,
  { normalize }: BatchNormPass,
): Tensor {
  const h = leakyRelu(at(params, "norm1", normalize, statistics.norm1, at(params, "conv1", conv, x)), 0.1);
  const wide = at(params, "conv2", conv, h, { stride: 2 });
  const y = at(params, "norm2", normalize, statistics.norm2, wide);
  const short = scope("shortcut", () => conv2d(x, params.shortcut, { stride: 2 }));
  const z = at(params, "shortcutNorm", normalize, statistics.shortcutNorm, short);
  return leakyRelu(add(y, z), 0.1);
}

/** Draws the parameters of a {@link pixelDiscriminator}: 42,632,257 at width 64 for 3 channels. */
export function initPixelDiscriminator(
  rng: Rng,
  { channels, width, blocks = 5 }: PixelDiscriminatorConfig,
): PixelDiscriminatorParams {
  const features = width * 2 ** blocks;
  return {
    input: initConv(rng, channels, width, 3, PYTORCH),
    inputNorm: initAffine(width),
    blocks: Array.from({ length: blocks }, (_, i) => initBlock(rng, width * 2 ** i)),
    hidden: initLinear(rng, features, features / 2, PYTORCH),
    score: initLinear(rng, features / 2, 1, PYTORCH),
  };
}

/** The running statistics of an untrained {@link pixelDiscriminator}. */
export function initPixelDiscriminatorStatistics(
  params: PixelDiscriminatorParams,
): PixelDiscriminatorStatistics {
  const of = ({ scale }: AffineParams) => initBatchStatistics(scale.shape[0]!);
  return {
    inputNorm: of(params.inputNorm),
    blocks: params.blocks.map(({ norm1, norm2, shortcutNorm }) => ({
      norm1: of(norm1),
      norm2: of(norm2),
      shortcutNorm: of(shortcutNorm),
    })),
  };
}

/** Shape of the dropout mask for n images, [n, features]; see {@link dropoutMask}. */
export function dropoutShape(
  { width, blocks = 5 }: PixelDiscriminatorConfig,
  images: number,
): readonly [number, number] {
  return [images, (width * 2 ** blocks) / 2];
}

/**
 * A dropout mask of `count` values: 0 with probability `rate`, else 1 / (1 - rate), so that the mean stays 1
 * (Srivastava et al. 2014). `rate` in [0, 1); released: 0.5.
 */
export function dropoutMask(rng: Rng, count: number, rate = 0.5): Float32Array {
  return Float32Array.from({ length: count }, () => (rng.uniform() < rate ? 0 : 1 / (1 - rate)));
}

/**
 * Scores images x [n, channels, h, w]: logits [n, 1], high for real. Training takes a dropout mask of
 * `dropoutShape`; without one nothing is dropped, as at inference.
 */
export function pixelDiscriminator(
  params: Params<PixelDiscriminatorParams>,
  statistics: Params<PixelDiscriminatorStatistics>,
  x: Tensor,
  phase: Phase,
  dropout?: Tensor,
): Normalized<PixelDiscriminatorStatistics> {
  return scope("pixelDiscriminator", () => {
    const pass = batchNormPass(phase);
    const entered = at(params, "input", conv, x);
    let h = leakyRelu(at(params, "inputNorm", pass.normalize, statistics.inputNorm, entered), 0.1);
    params.blocks.forEach((each, i) => {
      h = scope(`blocks.${i}`, () => block(each, statistics.blocks[i]!, h, pass));
    });
    const hidden = leakyRelu(at(params, "hidden", linear, mean(h, [2, 3])), 0.1); // [n, features]
    const kept = dropout === undefined ? hidden : mul(hidden, dropout);
    return { y: at(params, "score", linear, kept), statistics: pass.next(statistics) };
  });
}

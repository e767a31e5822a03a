/**
 * @module The multi-scale detail generator: given the low band of any scale and noise, all detail bands of that scale
 * in one pass. One set of parameters serves every scale, told apart by an embedding; skips are gated by attention and
 * nothing is normalised across samples or scales.
 */
import {
  add,
  avgPool2d,
  broadcastTo,
  concat,
  type Rng,
  scope,
  silu,
  type Tensor,
  upsampleNearest2d,
} from "onnxgrad";
import {
  type AffineParams,
  attentionGate,
  type AttentionGateParams,
  initAttentionGate,
  initResidualBlock,
  joinChannels,
  residualBlock,
  type ResidualBlockParams,
} from "./blocks.ts";
import { embed, type EmbeddingParams, fourierFeatures, initEmbedding } from "./embedding.ts";
import { at, conv, initAffine, initConv, norm, type Params, type Weighted } from "./layers.ts";

/** Size of a {@link detailGenerator}. */
export interface DetailGeneratorConfig {
  /** Image channels: the low band has as many, the details three times as many. */
  readonly channels: number;
  /** Noise maps beside the low band. */
  readonly noiseChannels: number;
  /** Feature channels, one entry a resolution. */
  readonly widths: readonly number[];
  /** Residual blocks a resolution, in each direction. */
  readonly blocks: number;
}

const FEATURES = 16;

/** Parameters of a {@link detailGenerator}. */
export interface DetailGeneratorParams {
  readonly embedding: EmbeddingParams;
  readonly input: Weighted;
  readonly noise: Weighted;
  readonly down: readonly (readonly ResidualBlockParams[])[];
  readonly gates: readonly AttentionGateParams[];
  readonly up: readonly (readonly ResidualBlockParams[])[];
  readonly norm: AffineParams;
  readonly output: Weighted;
}

/** Draws the parameters of a {@link detailGenerator}. */
export function initDetailGenerator(
  rng: Rng,
  { channels, noiseChannels, widths, blocks }: DetailGeneratorConfig,
): DetailGeneratorParams {
  const embedding = 2 * widths[0]!;
  const run = (size: number, first: number) =>
    Array.from({ length: blocks }, (_, b) => initResidualBlock(rng, b === 0 ? first : size, size, embedding));
  const down = widths.map((size, i) => run(size, widths[i - 1] ?? widths[0]!));
  const upper = widths.slice(0, -1);
  return {
    embedding: initEmbedding(rng, 2 * FEATURES, embedding),
    input: initConv(rng, channels, widths[0]!, 3),
    // Faint at first: training begins as regression and takes the noise up where it pays.
    noise: initConv(rng, noiseChannels, widths[0]!, 3, { gain: 0.1 }),
    down,
    gates: upper.map((size, i) => initAttentionGate(rng, widths[i + 1]!, size)),
    up: upper.map((size, i) => run(size, widths[i + 1]! + size)),
    norm: initAffine(widths[0]!),
    output: initConv(rng, widths[0]!, 3 * channels, 3, { gain: 0.1 }),
  };
}

/** What a {@link detailGenerator} is given. */
export interface DetailInput {
  /** Low band, scaled to the image's range: [n, channels, h, w]. */
  readonly low: Tensor;
  /** N(0, 1) noise: [n, noiseChannels, h, w]. */
  readonly noise: Tensor;
  /** Wavelet level of each sample, 1 the finest: [n], or [1] for all. */
  readonly level: Tensor;
  /** Standard deviation of the noise added to each low band, 0 for none: [n], or [1] for all. */
  readonly augmentation: Tensor;
}

/** Standardised details [n, 3 * channels, h, w]; extents must be multiples of 2^(resolutions - 1). */
export function detailGenerator(
  params: Params<DetailGeneratorParams>,
  { low, noise, level, augmentation }: DetailInput,
): Tensor {
  return scope("detailGenerator", () => {
    const samples = Math.max(level.size, augmentation.size);
    const features = concat(
      [
        broadcastTo(fourierFeatures(level, FEATURES, 4), [samples, FEATURES]),
        broadcastTo(fourierFeatures(augmentation, FEATURES, 32), [samples, FEATURES]),
      ],
      1,
    );
    const embedding = at(params, "embedding", embed, features);
    let h = add(at(params, "input", conv, low), at(params, "noise", conv, noise));
    const run = (blocks: Params<readonly ResidualBlockParams[]>) =>
      blocks.forEach((_, b) => (h = at(blocks, b, residualBlock, h, embedding)));
    const skips = params.down.map((blocks, i) => {
      if (i > 0) h = avgPool2d(h, 2);
      scope(`down.${i}`, () => run(blocks));
      return h;
    });
    for (let i = params.up.length - 1; i >= 0; i--) {
      h = upsampleNearest2d(h, 2);
      h = joinChannels([h, scope("gates", () => at(params.gates, i, attentionGate, h, skips[i]!))]);
      scope(`up.${i}`, () => run(params.up[i]!));
    }
    return at(params, "output", conv, silu(at(params, "norm", norm, h)));
  });
}

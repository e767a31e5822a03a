/**
 * @module The multi-scale detail generator: given the low band of any scale and noise, all detail bands of that scale
 * in one pass. One set of parameters serves every scale, told apart by an embedding; skips are gated by attention and
 * nothing is normalised across samples or scales. Noise that enters in the middle, where the features are coarsest, can only
 * vary what is decoded from there, shapes more than single coefficients; at the input it can vary each of them alone.
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

/** Where noise enters a {@link detailGenerator}. */
export type NoiseAt = "middle" | "input";

/** Size of a {@link detailGenerator}. */
export interface DetailGeneratorConfig {
  /** Image channels: the low band has as many, the details three times as many. */
  readonly channels: number;
  /** Where noise enters: among the coarsest features, or beside the low band. */
  readonly noiseAt: NoiseAt;
  /** Noise maps. */
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
  /** Takes noise up that enters in the middle; absent where it enters at the input. */
  readonly middle?: ResidualBlockParams;
  readonly gates: readonly AttentionGateParams[];
  readonly up: readonly (readonly ResidualBlockParams[])[];
  readonly norm: AffineParams;
  readonly output: Weighted;
}

/** Draws the parameters of a {@link detailGenerator}. */
export function initDetailGenerator(
  rng: Rng,
  { channels, noiseAt, noiseChannels, widths, blocks }: DetailGeneratorConfig,
): DetailGeneratorParams {
  const embedding = 2 * widths[0]!;
  const run = (size: number, first: number) =>
    Array.from({ length: blocks }, (_, b) => initResidualBlock(rng, b === 0 ? first : size, size, embedding));
  const down = widths.map((size, i) => run(size, widths[i - 1] ?? widths[0]!));
  const upper = widths.slice(0, -1);
  const last = widths.at(-1)!;
  return {
    embedding: initEmbedding(rng, 2 * FEATURES, embedding),
    input: initConv(rng, channels, widths[0]!, 3),
    // Faint at first: training begins as regression and takes the noise up where it pays.
    noise:
      noiseAt === "input"
        ? initConv(rng, noiseChannels, widths[0]!, 3, { gain: 0.1 })
        : initConv(rng, noiseChannels, last, 1, { gain: 0.3 }),
    down,
    ...(noiseAt === "middle" && { middle: initResidualBlock(rng, last, last, embedding) }),
    gates: upper.map((size, i) => initAttentionGate(rng, widths[i + 1]!, size)),
    up: upper.map((size, i) => run(size, widths[i + 1]! + size)),
    norm: initAffine(widths[0]!),
    output: initConv(rng, widths[0]!, 3 * channels, 3, { gain: 0.1 }),
  };
}

/** Extents of the noise for bands of height x width: [noiseChannels, ...]. */
export function noiseExtents(
  { noiseAt, noiseChannels, widths }: Pick<DetailGeneratorConfig, "noiseAt" | "noiseChannels" | "widths">,
  height: number,
  width: number,
): readonly [channels: number, height: number, width: number] {
  const factor = noiseAt === "input" ? 1 : 2 ** (widths.length - 1);
  return [noiseChannels, height / factor, width / factor];
}

/** What a {@link detailGenerator} is given. */
export interface DetailInput {
  /** Low band, scaled to the image's range: [n, channels, h, w]. */
  readonly low: Tensor;
  /** N(0, 1) noise: [n, ...{@link noiseExtents}]. */
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
    const { middle } = params;
    let h = at(params, "input", conv, low);
    const takeUpNoise = () => (h = add(h, at(params, "noise", conv, noise)));
    if (middle === undefined) takeUpNoise();
    const run = (blocks: Params<readonly ResidualBlockParams[]>) =>
      blocks.forEach((_, b) => (h = at(blocks, b, residualBlock, h, embedding)));
    const skips = params.down.map((blocks, i) => {
      if (i > 0) h = avgPool2d(h, 2);
      scope(`down.${i}`, () => run(blocks));
      return h;
    });
    if (middle !== undefined) {
      takeUpNoise();
      h = scope("middle", () => residualBlock(middle, h, embedding));
    }
    for (let i = params.up.length - 1; i >= 0; i--) {
      h = upsampleNearest2d(h, 2);
      h = joinChannels([h, scope("gates", () => at(params.gates, i, attentionGate, h, skips[i]!))]);
      scope(`up.${i}`, () => run(params.up[i]!));
    }
    return at(params, "output", conv, silu(at(params, "norm", norm, h)));
  });
}

/**
 * @module The U-Net that predicts the denoised low band (or, at 0 levels, the denoised image): residual blocks
 * conditioned on the noise level, self-attention where asked, skips joined by concatenation.
 */
import { avgPool2d, concat, type Rng, scope, silu, type Tensor, upsampleNearest2d } from "onnxgrad";
import {
  type AffineParams,
  initResidualBlock,
  initSelfAttention,
  joinChannels,
  residualBlock,
  type ResidualBlockParams,
  selfAttention,
  type SelfAttentionParams,
} from "./blocks.ts";
import { embed, type EmbeddingParams, fourierFeatures, initEmbedding } from "./embedding.ts";
import { at, conv, initAffine, initConv, norm, type Params, type Weighted } from "./layers.ts";

/** Size of a {@link scoreUnet}. */
export interface ScoreUnetConfig {
  /** Channels of what is denoised and of the output. */
  readonly channels: number;
  /** Channels of what is known, such as a low band, joined to the input; default 0: none. */
  readonly conditioning?: number;
  /** Feature channels at the finest resolution. */
  readonly width: number;
  /** Multiples of `width`, one a resolution; each further one halves the extents. */
  readonly multipliers: readonly number[];
  /** Residual blocks a resolution, in each direction. */
  readonly blocks: number;
  /** Indices of `multipliers` at which every block is followed by self-attention; the middle always has one. */
  readonly attention: readonly number[];
}

const FEATURES = 32;

interface LevelParams {
  readonly blocks: readonly ResidualBlockParams[];
  readonly attention: readonly SelfAttentionParams[];
}

/** Parameters of a {@link scoreUnet}. */
export interface ScoreUnetParams {
  readonly embedding: EmbeddingParams;
  readonly input: Weighted;
  readonly down: readonly LevelParams[];
  readonly middle: {
    readonly first: ResidualBlockParams;
    readonly attention: SelfAttentionParams;
    readonly second: ResidualBlockParams;
  };
  readonly up: readonly LevelParams[];
  readonly norm: AffineParams;
  readonly output: Weighted;
}

/** Draws the parameters of a {@link scoreUnet}; its output starts at zero. */
export function initScoreUnet(
  rng: Rng,
  { channels, conditioning = 0, width, multipliers, blocks, attention }: ScoreUnetConfig,
): ScoreUnetParams {
  const embedding = 4 * width;
  const sizes = multipliers.map((m) => m * width);
  const level = (index: number, inputs: readonly number[]): LevelParams => ({
    blocks: inputs.map((n) => initResidualBlock(rng, n, sizes[index]!, embedding)),
    attention: attention.includes(index) ? inputs.map(() => initSelfAttention(rng, sizes[index]!)) : [],
  });
  const last = sizes.at(-1)!;
  const down = sizes.map((size, i) =>
    level(
      i,
      Array.from({ length: blocks }, (_, b) => (b > 0 ? size : (sizes[i - 1] ?? width))),
    ),
  );
  const middle = {
    first: initResidualBlock(rng, last, last, embedding),
    attention: initSelfAttention(rng, last),
    second: initResidualBlock(rng, last, last, embedding),
  };
  const up = sizes.map((size, i) =>
    level(
      i,
      Array.from({ length: blocks }, (_, b) => (b > 0 ? size : (sizes[i + 1] ?? last)) + size),
    ),
  );
  return {
    embedding: initEmbedding(rng, FEATURES, embedding),
    input: initConv(rng, channels + conditioning, width, 3),
    down,
    middle,
    up,
    norm: initAffine(sizes[0]!),
    output: initConv(rng, sizes[0]!, channels, 3, { gain: 0 }),
  };
}

/**
 * The raw network F(x, c): x [n, channels, h, w], noise embedding scalars c [n], to [n, channels, h, w]. Extents must
 * be multiples of 2^(resolutions - 1). `conditioning` is what is known, [n, conditioning, h, w].
 */
export function scoreUnet(
  params: Params<ScoreUnetParams>,
  x: Tensor,
  noise: Tensor,
  conditioning?: Tensor,
): Tensor {
  return scope("scoreUnet", () => {
    const embedding = at(params, "embedding", embed, fourierFeatures(noise, FEATURES));
    const run = (level: Params<LevelParams>, b: number, h: Tensor) => {
      const y = scope("blocks", () => at(level.blocks, b, residualBlock, h, embedding));
      return b in level.attention ? scope("attention", () => at(level.attention, b, selfAttention, y)) : y;
    };

    let h = at(params, "input", conv, conditioning === undefined ? x : concat([x, conditioning], 1));
    const skips: Tensor[][] = params.down.map((level, i) => {
      if (i > 0) h = avgPool2d(h, 2);
      return scope(`down.${i}`, () => level.blocks.map((_, b) => (h = run(level, b, h))));
    });
    scope("middle", () => {
      h = at(params.middle, "first", residualBlock, h, embedding);
      h = at(params.middle, "attention", selfAttention, h);
      h = at(params.middle, "second", residualBlock, h, embedding);
    });
    for (let i = params.up.length - 1; i >= 0; i--) {
      const level = params.up[i]!;
      scope(`up.${i}`, () =>
        level.blocks.forEach((_, b) => (h = run(level, b, joinChannels([h, skips[i]!.pop()!])))),
      );
      if (i > 0) h = upsampleNearest2d(h, 2);
    }
    return at(params, "output", conv, silu(at(params, "norm", norm, h)));
  });
}

/**
 * @module The U-Net of improved-diffusion (Nichol & Dhariwal 2021), which SGM and WSGM are published with: residual blocks
 * that the time scales and shifts, self-attention at chosen resolutions, strided convolutions down, enlargement and a
 * convolution up, and a skip from every block and every halving. What is known is joined to the input.
 */
import {
  add,
  concat,
  GraphError,
  mul,
  narrow,
  reshape,
  type Rng,
  scaledDotProductAttention,
  scope,
  silu,
  split,
  type Tensor,
  transpose,
  upsampleNearest2d,
} from "onnxgrad";
import type { AffineParams, SelfAttentionParams } from "./blocks.ts";
import { embed, type EmbeddingParams, initEmbedding, timestepFeatures } from "./embedding.ts";
import {
  at,
  conv,
  initAffine,
  initConv,
  initLinear,
  linear,
  norm,
  type Params,
  type Weighted,
} from "./layers.ts";

/** Size of an {@link iddpmUnet}. */
export interface IddpmUnetConfig {
  /** Channels of what is denoised and of the output. */
  readonly channels: number;
  /** Channels of what is known, such as a low band, joined to the input; 0: none. */
  readonly conditioning: number;
  /** Feature channels at the finest resolution, even. Released: 128. */
  readonly width: number;
  /** Multiples of `width`, one a resolution; each further one halves the extents. */
  readonly multipliers: readonly number[];
  /** Residual blocks a resolution on the way down, one more on the way up. SGM and WSGM: 3. */
  readonly blocks: number;
  /** Indices of `multipliers` at which every block is followed by self-attention; the middle always has one. */
  readonly attention: readonly number[];
  /** Heads of each attention. Released: 4. */
  readonly heads: number;
  /** Whether the time scales and shifts the second normalisation of a block, or else is added before it. Released: true. */
  readonly scaleShiftNorm: boolean;
}

/** Groups of a normalisation, fewer where they do not divide the channels. */
const GROUPS = 32;

/** Layers draw from PyTorch's default, U(-1, 1) / sqrt(fan in); the last of every residual branch starts at zero. */
const DEFAULT = { scheme: "uniform" } as const;
const ZERO = { gain: 0 } as const;

interface BlockParams {
  readonly norm1: AffineParams;
  readonly conv1: Weighted;
  /** From the embedding to scales and shifts, or to shifts alone. */
  readonly time: Weighted;
  readonly norm2: AffineParams;
  readonly conv2: Weighted;
  /** 1 x 1, where the channels change. */
  readonly skip?: Weighted;
}

interface LevelParams {
  readonly blocks: readonly BlockParams[];
  /** One a block, or none. */
  readonly attention: readonly SelfAttentionParams[];
  /** The halving after the blocks on the way down, the doubling on the way up; absent at the last of either way. */
  readonly resize?: Weighted;
}

/** Parameters of an {@link iddpmUnet}. */
export interface IddpmUnetParams {
  readonly embedding: EmbeddingParams;
  readonly input: Weighted;
  /** From the finest to the coarsest resolution, both. */
  readonly down: readonly LevelParams[];
  readonly middle: {
    readonly first: BlockParams;
    readonly attention: SelfAttentionParams;
    readonly second: BlockParams;
  };
  readonly up: readonly LevelParams[];
  readonly norm: AffineParams;
  readonly output: Weighted;
}

/**
 * Draws the parameters of an {@link iddpmUnet}; its output starts at zero. As published for 128 x 128 pixels, with width 128
 * and 3 blocks, SGM has 160,299,267 (multipliers 1,2,2,4,4). The stream `SHAPES` gives shapes alone.
 * @throws GraphError when the width is odd, or the heads do not divide the channels of an attention.
 */
export function initIddpmUnet(rng: Rng, config: IddpmUnetConfig): IddpmUnetParams {
  const { channels, conditioning, width, multipliers, blocks, attention, heads, scaleShiftNorm } = config;
  if (width % 2 !== 0)
    throw new GraphError(`iddpmUnet: width ${width} is odd. Half of it are cosines: choose an even width.`);
  const embedding = 4 * width;
  const sizes = multipliers.map((m) => m * width);
  const last = sizes.length - 1;

  const block = (inputs: number, outputs: number): BlockParams => ({
    norm1: initAffine(inputs),
    conv1: initConv(rng, inputs, outputs, 3, DEFAULT),
    time: initLinear(rng, embedding, (scaleShiftNorm ? 2 : 1) * outputs, DEFAULT),
    norm2: initAffine(outputs),
    conv2: initConv(rng, outputs, outputs, 3, ZERO),
    ...(inputs === outputs ? {} : { skip: initConv(rng, inputs, outputs, 1, DEFAULT) }),
  });
  const attentionOf = (size: number): SelfAttentionParams => {
    if (size % heads !== 0)
      throw new GraphError(
        `iddpmUnet: ${heads} heads do not divide the ${size} channels of an attention. Choose a divisor.`,
      );
    return {
      norm: initAffine(size),
      qkv: initConv(rng, size, 3 * size, 1, DEFAULT),
      out: initConv(rng, size, size, 1, ZERO),
    };
  };
  const level = (index: number, inputs: readonly number[], resizes: boolean): LevelParams => {
    const size = sizes[index]!;
    return {
      blocks: inputs.map((n) => block(n, size)),
      attention: attention.includes(index) ? inputs.map(() => attentionOf(size)) : [],
      ...(resizes ? { resize: initConv(rng, size, size, 3, DEFAULT) } : {}),
    };
  };

  const input = initConv(rng, channels + conditioning, sizes[0]!, 3, DEFAULT);
  /** Channels of every skip, in the order in which they are laid down. */
  const skips = [sizes[0]!];
  const down = sizes.map((size, i) => {
    const inputs = Array.from({ length: blocks }, (_, b) => (b > 0 ? size : (sizes[i - 1] ?? size)));
    skips.push(...inputs.map(() => size), ...(i < last ? [size] : []));
    return level(i, inputs, i < last);
  });
  const coarsest = sizes[last]!;
  const middle = {
    first: block(coarsest, coarsest),
    attention: attentionOf(coarsest),
    second: block(coarsest, coarsest),
  };
  const up = sizes
    .map((size, i) => ({ size, i }))
    .reverse()
    .map(({ size, i }) => {
      const before = (b: number) => (b > 0 ? size : (sizes[i + 1] ?? coarsest));
      const inputs = Array.from({ length: blocks + 1 }, (_, b) => before(b) + skips.pop()!);
      return level(i, inputs, i > 0);
    })
    .reverse();
  return {
    embedding: initEmbedding(rng, width, embedding, DEFAULT),
    input,
    down,
    middle,
    up,
    norm: initAffine(sizes[0]!),
    output: initConv(rng, sizes[0]!, channels, 3, ZERO),
  };
}

/** What an {@link iddpmUnet} is given. */
export interface IddpmUnetInputs {
  /** What is denoised, [n, channels, h, w]. */
  readonly x: Tensor;
  /** What is told of the noise, [n] or [1]: a timestep, or any scalar that moves by units and thousands. */
  readonly time: Tensor;
  /** What is known, [n, conditioning, h, w]; left out where the network takes none. */
  readonly conditioning?: Tensor;
}

/**
 * The raw network F, to [n, channels, h, w].
 * @throws GraphError unless h and w are multiples of 2^(resolutions - 1).
 */
export function iddpmUnet(
  params: Params<IddpmUnetParams>,
  { x, time, conditioning }: IddpmUnetInputs,
  { heads }: Pick<IddpmUnetConfig, "heads">,
): Tensor {
  const multiple = 2 ** (params.down.length - 1);
  if (x.rank !== 4 || x.shape[2]! % multiple !== 0 || x.shape[3]! % multiple !== 0)
    throw new GraphError(
      `iddpmUnet: takes [n,c,h,w] with h and w multiples of ${multiple}, got [${x.shape.join(",")}]. ` +
        `Take fewer multipliers or larger images.`,
    );
  return scope("iddpmUnet", () => {
    const width = params.embedding.first.weight.shape[0]!;
    const embedding = at(params, "embedding", embed, timestepFeatures(time, width)); // [n, 4 width]
    const run = (level: Params<LevelParams>, b: number, h: Tensor) => {
      const y = scope("blocks", () => at(level.blocks, b, block, h, embedding));
      return b in level.attention
        ? scope("attention", () => at(level.attention, b, selfAttention, y, heads))
        : y;
    };

    let h = at(params, "input", conv, conditioning === undefined ? x : concat([x, conditioning], 1));
    const skips = [h];
    params.down.forEach((level, i) =>
      scope(`down.${i}`, () => {
        level.blocks.forEach((_, b) => skips.push((h = run(level, b, h))));
        if (level.resize) skips.push((h = at(level, "resize", conv, h, { stride: 2 })));
      }),
    );
    scope("middle", () => {
      h = at(params.middle, "first", block, h, embedding);
      h = at(params.middle, "attention", selfAttention, h, heads);
      h = at(params.middle, "second", block, h, embedding);
    });
    for (let i = params.up.length - 1; i >= 0; i--)
      scope(`up.${i}`, () => {
        const level = params.up[i]!;
        level.blocks.forEach((_, b) => (h = run(level, b, concat([h, skips.pop()!], 1))));
        if (level.resize) h = at(level, "resize", conv, upsampleNearest2d(h, 2));
      });
    return at(params, "output", conv, silu(at(params, "norm", norm, h, GROUPS)));
  });
}

/** skip(x) + conv2(silu(modulated norm2(conv1(silu(norm1(x)))))): [n, in, h, w] -> [n, out, h, w]. */
function block(params: Params<BlockParams>, x: Tensor, embedding: Tensor): Tensor {
  const h = at(params, "conv1", conv, silu(at(params, "norm1", norm, x, GROUPS)));
  const time = at(params, "time", linear, embedding); // [n, 2 out] or [n, out]
  const y = scope("norm2", () => modulatedNorm(params.norm2, time, h));
  return add(params.skip ? at(params, "skip", conv, x) : x, at(params, "conv2", conv, silu(y)));
}

/** The second normalisation of a block, which the time scales and shifts, or is added to before it. */
function modulatedNorm({ scale, shift }: Params<AffineParams>, time: Tensor, h: Tensor): Tensor {
  const c = scale.size;
  if (time.shape[1] === c)
    return norm({ scale, shift }, add(h, reshape(time, [time.shape[0]!, c, 1, 1])), GROUPS);
  // (1 + ds) (scale x + shift) + db, as one scale and one shift a sample and channel.
  const [ds, db] = split(time, [c, c], 1) as [Tensor, Tensor];
  const gain = add(ds, 1);
  return norm({ scale: mul(gain, scale), shift: add(mul(gain, shift), db) }, h, GROUPS);
}

/** x + out(attention(qkv(norm(x)))); the channels of qkv are, head by head, its queries, keys and values, as released. */
function selfAttention(params: Params<SelfAttentionParams>, x: Tensor, heads: number): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const d = c / heads;
  const qkv = reshape(at(params, "qkv", conv, at(params, "norm", norm, x, GROUPS)), [n, heads, 3 * d, h * w]);
  const tokens = transpose(qkv, [0, 1, 3, 2]); // [n, heads, hw, 3 d]
  const part = (i: number) => narrow(tokens, 3, i * d, d);
  const mixed = scaledDotProductAttention(part(0), part(1), part(2)); // [n, heads, hw, d]
  return add(x, at(params, "out", conv, reshape(transpose(mixed, [0, 1, 3, 2]), x.shape)));
}

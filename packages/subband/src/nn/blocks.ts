/** @module The blocks of our U-Nets: conditioned residual block, spatial self-attention, additive attention gate. */
import {
  add,
  concat,
  full,
  mul,
  narrow,
  type NdArray,
  relu,
  reshape,
  type Rng,
  scaledDotProductAttention,
  sigmoid,
  silu,
  split,
  type Tensor,
  transpose,
} from "onnxgrad";
import {
  conv,
  initAffine,
  initConv,
  initLinear,
  linear,
  norm,
  type Params,
  type Weighted,
} from "./layers.ts";

/** Scale and shift arrays of a normalisation. */
export interface AffineParams {
  readonly scale: NdArray;
  readonly shift: NdArray;
}

/** Parameters of {@link residualBlock}; `film` is absent without conditioning, `skip` when channels do not change. */
export interface ResidualBlockParams {
  readonly norm1: AffineParams;
  readonly conv1: Weighted;
  readonly norm2: AffineParams;
  readonly film?: Weighted;
  readonly conv2: Weighted;
  readonly skip?: Weighted;
}

/** A residual block from `inputs` to `outputs` channels, conditioned on an embedding of width `embedding` (0: none). */
export function initResidualBlock(
  rng: Rng,
  inputs: number,
  outputs: number,
  embedding: number,
): ResidualBlockParams {
  return {
    norm1: initAffine(inputs),
    conv1: initConv(rng, inputs, outputs, 3),
    norm2: initAffine(outputs),
    ...(embedding > 0 ? { film: initLinear(rng, embedding, 2 * outputs, { gain: 0 }) } : {}),
    conv2: initConv(rng, outputs, outputs, 3, { gain: 0 }),
    ...(inputs === outputs ? {} : { skip: initConv(rng, inputs, outputs, 1) }),
  };
}

/**
 * x + conv2(silu(film(norm2(conv1(silu(norm1(x))))))), where film scales and shifts each channel as the embedding says
 * (Perez et al. 2018). The second convolution starts at zero, so that every block starts as its skip.
 */
export function residualBlock(params: Params<ResidualBlockParams>, x: Tensor, embedding?: Tensor): Tensor {
  const h = conv(params.conv1, silu(norm(params.norm1, x)));
  const y = norm(filmAffine(params, embedding), h);
  const residual = conv(params.conv2, silu(y));
  return add(params.skip ? conv(params.skip, x) : x, residual);
}

/** The affine of norm2, modulated a sample at a time: (scale + ds, shift + db), each [n, c, 1, 1] when conditioned. */
function filmAffine(
  params: Params<ResidualBlockParams>,
  embedding: Tensor | undefined,
): { scale: Tensor; shift: Tensor } {
  if (params.film === undefined || embedding === undefined) return params.norm2;
  const c = params.norm2.scale.size;
  const [scale, shift] = split(linear(params.film, embedding), [c, c], 1) as [Tensor, Tensor];
  return { scale: add(params.norm2.scale, scale), shift: add(params.norm2.shift, shift) }; // [n, c]
}

/** Parameters of {@link selfAttention}. */
export interface SelfAttentionParams {
  readonly norm: AffineParams;
  readonly qkv: Weighted;
  readonly out: Weighted;
}

/** Multi-head self-attention over the pixels of `channels` feature maps. */
export function initSelfAttention(rng: Rng, channels: number): SelfAttentionParams {
  return {
    norm: initAffine(channels),
    qkv: initConv(rng, channels, 3 * channels, 1),
    out: initConv(rng, channels, channels, 1, { gain: 0 }),
  };
}

/** x + out(attention(qkv(norm(x)))) with heads of 32 channels, or one head for fewer. */
export function selfAttention(params: Params<SelfAttentionParams>, x: Tensor): Tensor {
  const [n, c, h, w] = x.shape as [number, number, number, number];
  const heads = c % 32 === 0 ? c / 32 : 1;
  const qkv = reshape(conv(params.qkv, norm(params.norm, x)), [n, 3 * heads, c / heads, h * w]);
  const tokens = transpose(qkv, [0, 1, 3, 2]); // [n, 3 heads, hw, d]
  const part = (i: number) => narrow(tokens, 1, i * heads, heads);
  const mixed = scaledDotProductAttention(part(0), part(1), part(2)); // [n, heads, hw, d]
  return add(x, conv(params.out, reshape(transpose(mixed, [0, 1, 3, 2]), x.shape)));
}

/** Parameters of {@link attentionGate}. */
export interface AttentionGateParams {
  readonly gate: Weighted;
  readonly skip: Weighted;
  readonly psi: Weighted;
}

/** An additive gate on a skip connection of `channels`, steered by features of `gating` channels. */
export function initAttentionGate(rng: Rng, gating: number, channels: number): AttentionGateParams {
  const inner = Math.max(8, Math.floor(channels / 2));
  return {
    gate: initConv(rng, gating, inner, 1),
    skip: initConv(rng, channels, inner, 1),
    // Starts open: sigmoid(2) = 0.88.
    psi: { ...initConv(rng, inner, 1, 1), bias: full([1], 2) },
  };
}

/** skip * sigmoid(psi(relu(gate(g) + skip(s)))), one weight a pixel (Oktay et al. 2018, eq. 1-2). */
export function attentionGate(params: Params<AttentionGateParams>, gating: Tensor, skip: Tensor): Tensor {
  const hidden = relu(add(conv(params.gate, gating), conv(params.skip, skip)));
  return mul(skip, sigmoid(conv(params.psi, hidden)));
}

/** Joins feature maps along channels. */
export function joinChannels(parts: readonly Tensor[]): Tensor {
  return concat(parts, 1);
}

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
  scope,
  sigmoid,
  silu,
  split,
  type Tensor,
  transpose,
} from "onnxgrad";
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
  const h = at(params, "conv1", conv, silu(at(params, "norm1", norm, x)));
  const film =
    params.film === undefined || embedding === undefined ? undefined : at(params, "film", linear, embedding);
  const y = scope("norm2", () => norm(modulated(params.norm2, film), h));
  const residual = at(params, "conv2", conv, silu(y));
  return add(params.skip ? at(params, "skip", conv, x) : x, residual);
}

/** An affine, modulated a sample at a time by film [n, 2 c], where there is one: (scale + ds, shift + db), each [n, c]. */
function modulated(affine: Params<AffineParams>, film: Tensor | undefined): Params<AffineParams> {
  if (film === undefined) return affine;
  const c = affine.scale.size;
  const [scale, shift] = split(film, [c, c], 1) as [Tensor, Tensor];
  return { scale: add(affine.scale, scale), shift: add(affine.shift, shift) };
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
  const qkv = reshape(at(params, "qkv", conv, at(params, "norm", norm, x)), [n, 3 * heads, c / heads, h * w]);
  const tokens = transpose(qkv, [0, 1, 3, 2]); // [n, 3 heads, hw, d]
  const part = (i: number) => narrow(tokens, 1, i * heads, heads);
  const mixed = scaledDotProductAttention(part(0), part(1), part(2)); // [n, heads, hw, d]
  return add(x, at(params, "out", conv, reshape(transpose(mixed, [0, 1, 3, 2]), x.shape)));
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
  const hidden = relu(add(at(params, "gate", conv, gating), at(params, "skip", conv, skip)));
  return mul(skip, sigmoid(at(params, "psi", conv, hidden)));
}

/** Joins feature maps along channels. */
export function joinChannels(parts: readonly Tensor[]): Tensor {
  return concat(parts, 1);
}

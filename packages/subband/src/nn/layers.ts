/**
 * @module The layers that networks are made of. A layer is a pair of functions: `initX(rng, ...)` gives its parameters
 * as arrays, `x(params, input)` applies it to traced tensors. Networks compose both and add nothing else.
 */
import {
  type Affine,
  conv2d,
  type ConvOptions,
  full,
  groupNorm,
  type Mapped,
  matmul,
  type NdArray,
  ndarray,
  type Rng,
  add,
  scope,
  type Tensor,
} from "onnxgrad";

/** A parameter tree as the traced function sees it. */
export type Params<P> = Mapped<P, NdArray, Tensor>;

/**
 * `layer(params[name], ...inputs)`, which errors know by that name: the place of a layer in a network is that of its
 * parameters, e.g. `scoreUnet.down.0.blocks.1.conv1`.
 */
export function at<P, K extends keyof P & (string | number), I extends readonly unknown[], R>(
  params: P,
  name: K,
  layer: (own: NonNullable<P[K]>, ...inputs: I) => R,
  ...inputs: I
): R {
  return scope(String(name), () => layer(params[name]!, ...inputs));
}

/** Weight and bias of a convolution or a linear layer. */
export interface Weighted {
  readonly weight: NdArray;
  readonly bias: NdArray;
}

/** How weights are drawn. */
export interface InitOptions {
  /**
   * `normal` (default): N(0, gain^2 / fan_in). `uniform`: U(-1, 1) / sqrt(fan_in) for weight and bias, which is the
   * default of PyTorch's convolutions and linear layers.
   */
  readonly scheme?: "normal" | "uniform";
  /** Standard deviation times sqrt(fan_in); 0 makes a layer that starts as zero. Default 1. */
  readonly gain?: number;
}

/**
 * A stream for whoever wants the shapes of a network alone: nothing is drawn, and all weights are views of the same zeros,
 * to be read only. Its numbers are all 0.
 */
export const SHAPES: Rng = {
  uint32: () => 0,
  uniform: () => 0,
  below: () => 0,
  normal: () => 0,
  fillNormal: (target) => {
    target.fill(0);
    return target;
  },
  permutation: (n) => Uint32Array.from({ length: n }, (_, i) => i),
};

/** What {@link SHAPES} gives views of; as long as the largest weight so far. */
let zeros = new Float32Array();

/** Draws an array of the given shape whose outputs sum over `fanIn` inputs. */
export function initWeight(
  rng: Rng,
  shape: readonly number[],
  fanIn: number,
  { scheme = "normal", gain = 1 }: InitOptions = {},
): NdArray {
  const size = shape.reduce((a, b) => a * b, 1);
  if (rng === SHAPES) {
    if (zeros.length < size) zeros = new Float32Array(size);
    return ndarray(shape, zeros.subarray(0, size));
  }
  const data = new Float32Array(size);
  const scale = gain / Math.sqrt(fanIn);
  for (let i = 0; i < data.length; i++)
    data[i] = scale * (scheme === "normal" ? rng.normal() : 2 * rng.uniform() - 1);
  return ndarray(shape, data);
}

/** Parameters of a kernel x kernel convolution: weight [out, in / groups, kernel, kernel], bias [out]. */
export function initConv(
  rng: Rng,
  inputs: number,
  outputs: number,
  kernel: number,
  options: InitOptions & { readonly groups?: number } = {},
): Weighted {
  const perGroup = inputs / (options.groups ?? 1);
  const fanIn = perGroup * kernel * kernel;
  const weight = initWeight(rng, [outputs, perGroup, kernel, kernel], fanIn, options);
  return {
    weight,
    bias: options.scheme === "uniform" ? initWeight(rng, [outputs], fanIn, options) : full([outputs], 0),
  };
}

/** Convolution with "same" padding for odd kernels unless told otherwise: [n, in, h, w] -> [n, out, h', w']. */
export function conv({ weight, bias }: Params<Weighted>, x: Tensor, options: ConvOptions = {}): Tensor {
  return conv2d(x, weight, { padding: (weight.shape[2]! - 1) / 2, ...options, bias });
}

/** Parameters of a linear layer: weight [in, out], bias [out]. */
export function initLinear(rng: Rng, inputs: number, outputs: number, options: InitOptions = {}): Weighted {
  const weight = initWeight(rng, [inputs, outputs], inputs, options);
  return {
    weight,
    bias: options.scheme === "uniform" ? initWeight(rng, [outputs], inputs, options) : full([outputs], 0),
  };
}

/** x W + b on the last axis: [..., in] -> [..., out]. */
export function linear({ weight, bias }: Params<Weighted>, x: Tensor): Tensor {
  return add(matmul(x, weight), bias);
}

/** Scale (ones) and shift (zeros) of a normalisation over `channels`. */
export function initAffine(channels: number): { readonly scale: NdArray; readonly shift: NdArray } {
  return { scale: full([channels], 1), shift: full([channels], 0) };
}

/** Group normalisation with the largest group count up to `groups` that divides the channels. */
export function norm(affine: Affine, x: Tensor, groups = 8): Tensor {
  const channels = x.shape[1]!;
  let count = Math.min(groups, channels);
  while (channels % count !== 0) count--;
  return groupNorm(x, count, affine);
}

/** Number of parameters in a tree. */
export function countParameters(tree: unknown): number {
  if (typeof tree !== "object" || tree === null) return 0;
  if ("data" in tree && tree.data instanceof Float32Array) return tree.data.length;
  return Object.values(tree).reduce((total: number, child) => total + countParameters(child), 0);
}

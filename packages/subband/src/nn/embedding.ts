/** @module Embeddings of scalars (noise level, scale, augmentation level) that condition a network. */
import { concat, constant, cos, mul, reshape, type Rng, silu, sin, type Tensor } from "onnxgrad";
import { at, type InitOptions, initLinear, linear, type Params, type Weighted } from "./layers.ts";

/** Cosines and sines of a scalar at `features / 2` geometrically spaced frequencies from 1 to `maxFrequency` (radians). */
export function fourierFeatures(x: Tensor, features: number, maxFrequency = 64): Tensor {
  const half = features / 2;
  const frequencies = Float64Array.from(
    { length: half },
    (_, i) => maxFrequency ** (half === 1 ? 0 : i / (half - 1)),
  );
  const phase = mul(reshape(x, [x.size, 1]), constant(frequencies, [1, half])); // [n, features / 2]
  return concat([cos(phase), sin(phase)], 1);
}

/**
 * Cosines and sines of a time at `features / 2` geometrically spaced frequencies, from 1 down towards 1 / 10000 radians
 * (Ho et al. 2020, after Vaswani et al. 2017): timesteps 0..1000 are told apart. [n] -> [n, features].
 */
export function timestepFeatures(time: Tensor, features: number): Tensor {
  const half = features / 2;
  const frequencies = Float64Array.from({ length: half }, (_, i) => 10_000 ** (-i / half));
  const phase = mul(reshape(time, [time.size, 1]), constant(frequencies, [1, half])); // [n, features / 2]
  return concat([cos(phase), sin(phase)], 1);
}

/** Parameters of {@link embed}. */
export interface EmbeddingParams {
  readonly first: Weighted;
  readonly second: Weighted;
}

/** A two-layer map from `inputs` features to an embedding of `width`. */
export function initEmbedding(
  rng: Rng,
  inputs: number,
  width: number,
  options: InitOptions = {},
): EmbeddingParams {
  return { first: initLinear(rng, inputs, width, options), second: initLinear(rng, width, width, options) };
}

/** [n, inputs] -> [n, width]; ends with the activation that all its users would apply. */
export function embed(params: Params<EmbeddingParams>, features: Tensor): Tensor {
  return silu(at(params, "second", linear, silu(at(params, "first", linear, features))));
}

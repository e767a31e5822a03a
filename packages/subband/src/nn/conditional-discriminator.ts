/**
 * @module The discriminator of the detail generator: looks at one scale, its bands side by side or the image that they
 * make beside its low band, and gives one score a patch. No normalisation, so that a gradient penalty acts on each sample
 * alone.
 */
import { add, avgPool2d, leakyRelu, mul, reshape, type Rng, scope, type Tensor } from "onnxgrad";
import { embed, type EmbeddingParams, fourierFeatures, initEmbedding } from "./embedding.ts";
import { at, conv, initConv, initLinear, linear, type Params, type Weighted } from "./layers.ts";

/** Size of a {@link conditionalDiscriminator}. */
export interface ConditionalDiscriminatorConfig {
  /** Channels of what it looks at. */
  readonly inputs: number;
  /** Feature channels, one entry a resolution; each further one halves the extents. */
  readonly widths: readonly number[];
}

const FEATURES = 16;
const SLOPE = 0.2;

interface StageParams {
  readonly conv1: Weighted;
  readonly conv2: Weighted;
  readonly skip: Weighted;
}

/** Parameters of a {@link conditionalDiscriminator}. */
export interface ConditionalDiscriminatorParams {
  readonly embedding: EmbeddingParams;
  readonly shift: Weighted;
  readonly input: Weighted;
  readonly stages: readonly StageParams[];
  readonly output: Weighted;
}

/** Draws the parameters of a {@link conditionalDiscriminator}. */
export function initConditionalDiscriminator(
  rng: Rng,
  { inputs, widths }: ConditionalDiscriminatorConfig,
): ConditionalDiscriminatorParams {
  const gain = Math.SQRT2;
  return {
    embedding: initEmbedding(rng, FEATURES, widths[0]!),
    shift: initLinear(rng, widths[0]!, widths[0]!),
    input: initConv(rng, inputs, widths[0]!, 3, { gain }),
    stages: widths.slice(1).map((size, i) => ({
      conv1: initConv(rng, widths[i]!, widths[i]!, 3, { gain }),
      conv2: initConv(rng, widths[i]!, size, 3, { gain }),
      skip: initConv(rng, widths[i]!, size, 1),
    })),
    output: initConv(rng, widths.at(-1)!, 1, 3),
  };
}

/** Scores [n, 1, h', w'] of x [n, inputs, h, w] at a level (1 the finest): [n], or [1] for all. */
export function conditionalDiscriminator(
  params: Params<ConditionalDiscriminatorParams>,
  x: Tensor,
  level: Tensor,
): Tensor {
  return scope("conditionalDiscriminator", () => {
    const features = at(params, "embedding", embed, fourierFeatures(level, FEATURES, 4));
    const embedding = at(params, "shift", linear, features);
    let h = at(params, "input", conv, x);
    h = leakyRelu(add(h, reshape(embedding, [...embedding.shape, 1, 1])), SLOPE);
    params.stages.forEach((stage, i) => {
      h = scope(`stages.${i}`, () => {
        const inside = leakyRelu(at(stage, "conv1", conv, h), SLOPE);
        const y = leakyRelu(at(stage, "conv2", conv, inside), SLOPE);
        return mul(add(avgPool2d(y, 2), at(stage, "skip", conv, avgPool2d(h, 2))), Math.SQRT1_2);
      });
    });
    return at(params, "output", conv, h);
  });
}

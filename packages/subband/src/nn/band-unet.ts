/**
 * @module A denoiser that works on wavelet bands in units of their noise: the noisy bands of every level enter a U-Net,
 * whose encoder carries what fine bands know to the coarse ones and whose decoder brings it back. Its output is the noise,
 * as the bands of the finest level. Biases stand before ReLUs only, where a threshold is a number of deviations.
 */
import {
  add,
  avgPool2d,
  concat,
  conv2d,
  invariant,
  type NdArray,
  relu,
  reshape,
  type Rng,
  scope,
  type Shape,
  type Tensor,
  upsampleNearest2d,
  UserError,
} from "onnxgrad";
import { initWeight, type Params } from "./layers.ts";

/** Size of a {@link bandUnet}. */
export interface BandUnetConfig {
  /** Image channels. */
  readonly channels: number;
  /** Feature channels of each level, the finest (half the resolution of the image) first. */
  readonly widths: readonly number[];
  /** Residual blocks of each level on the way down, and on the way up. */
  readonly encoder: readonly number[];
  readonly decoder: readonly number[];
}

/** Two convolutions [w, w, 3, 3] with a bias [w] and a ReLU between; what they find is added to their input. */
export interface ResidualBlockParams {
  readonly first: NdArray;
  readonly bias: NdArray;
  readonly second: NdArray;
}

/** Parameters of one level of width w. */
export interface BandUnetLevelParams {
  /** Noisy bands to features: [w, 4c, 3, 3]. */
  readonly entry: NdArray;
  /** From the features of the finer level, [w, finer, 1, 1]; absent at the finest. */
  readonly down?: NdArray;
  readonly encoder: readonly ResidualBlockParams[];
  /** From the features of the coarser level, [w, coarser, 1, 1]; absent at the coarsest. */
  readonly up?: NdArray;
  readonly decoder: readonly ResidualBlockParams[];
}

/** What is learned. */
export interface BandUnetParams {
  /** The finest first. */
  readonly levels: readonly BandUnetLevelParams[];
  /** Features to the noise in the bands of the finest level: [4c, w, 3, 3]. */
  readonly exit: NdArray;
}

/** Noisy bands of one level: low-pass [n, c, h, w] and details [n, 3c, h, w]. */
export interface NoisyBands {
  readonly low: Tensor;
  readonly detail: Tensor;
}

/** How weights are drawn: from (shape, fan-in, gain), so that shapes alone can be had as well. */
type Draw = (shape: Shape, fanIn: number, gain: number) => NdArray;

/** Draws the parameters of a {@link bandUnet}. Residual blocks begin close to the identity, the output close to zero. */
export function initBandUnet(random: Rng, config: BandUnetConfig): BandUnetParams {
  return build(config, (shape, fanIn, gain) => initWeight(random, shape, fanIn, { gain }));
}

function build({ channels, widths, encoder, decoder }: BandUnetConfig, draw: Draw): BandUnetParams {
  const coarsest = widths.length - 1;
  invariant(
    coarsest >= 0 && encoder.length === widths.length && decoder.length === widths.length,
    `a band U-Net of ${widths.length} levels, ${encoder.length} encoders and ${decoder.length} decoders`,
  );
  const blocks = (count: number, width: number): ResidualBlockParams[] =>
    Array.from({ length: count }, () => ({
      first: draw([width, width, 3, 3], 9 * width, Math.SQRT2),
      bias: draw([width], 1, 0),
      second: draw([width, width, 3, 3], 9 * width, RESIDUAL_GAIN),
    }));
  return {
    levels: widths.map((width, j) => ({
      entry: draw([width, 4 * channels, 3, 3], 36 * channels, 1),
      ...(j === 0 ? {} : { down: draw([width, widths[j - 1]!, 1, 1], widths[j - 1]!, 1) }),
      encoder: blocks(encoder[j]!, width),
      ...(j === coarsest ? {} : { up: draw([width, widths[j + 1]!, 1, 1], widths[j + 1]!, 1) }),
      decoder: blocks(decoder[j]!, width),
    })),
    exit: draw([4 * channels, widths[0]!, 3, 3], 9 * widths[0]!, RESIDUAL_GAIN),
  };
}

/** Small enough that depth changes little at the start, large enough that every weight has a gradient from there. */
const RESIDUAL_GAIN = 0.1;

/**
 * The noise in the bands of the finest level, [n, 4c, h, w] of `bands[0]`'s extents: low-pass, then details.
 * `bands[j]` are the noisy bands of level j + 1, each of half the extents of the one before.
 */
export function bandUnet(params: Params<BandUnetParams>, bands: readonly NoisyBands[]): Tensor {
  const features = bandFeatures(params, bands);
  return scope("bandUnet.exit", () => same(features, params.exit)); // [n, 4c, h, w]
}

/** All of a {@link bandUnet} but its last convolution, the 3 x 3 one of `exit`: [n, width, h, w]. */
export function bandFeatures(params: Params<BandUnetParams>, bands: readonly NoisyBands[]): Tensor {
  const { levels } = params;
  invariant(
    bands.length === levels.length,
    `${bands.length} levels of bands for ${levels.length} of a network`,
  );
  return scope("bandUnet", () => {
    const skips: Tensor[] = [];
    for (const [j, { entry, down, encoder }] of levels.entries())
      scope(`levels.${j}`, () => {
        const { low, detail } = bands[j]!;
        const own = scope("entry", () => same(concat([low, detail], 1), entry)); // [n, w, h, w]
        const finer = skips[j - 1];
        const h = down === undefined ? own : scope("down", () => add(own, same(avgPool2d(finer!, 2), down)));
        skips.push(scope("encoder", () => encoder.reduce(residualBlock, h)));
      });
    let h = skips.at(-1)!;
    for (let j = levels.length - 1; j >= 0; j--)
      scope(`levels.${j}`, () => {
        const { up, decoder } = levels[j]!;
        if (up !== undefined) h = scope("up", () => add(skips[j]!, upsampleNearest2d(same(h, up), 2)));
        h = scope("decoder", () => decoder.reduce(residualBlock, h));
      });
    return h;
  });
}

function residualBlock(h: Tensor, { first, bias, second }: Params<ResidualBlockParams>, i: number): Tensor {
  return scope(String(i), () => {
    const made = scope("first", () => same(h, first));
    const inside = add(made, reshape(bias, [1, bias.size, 1, 1]));
    return add(
      h,
      scope("second", () => same(relu(inside), second)),
    );
  });
}

/** Zero-padded convolution that keeps the extents. */
function same(x: Tensor, weight: Tensor): Tensor {
  return conv2d(x, weight, { padding: (weight.shape[2]! - 1) / 2 });
}

/**
 * The size of the network whose parameters these are.
 * @throws UserError `nn/band-unet` when they are not those of a band U-Net.
 */
export function bandUnetConfigOf({ levels, exit }: BandUnetParams): BandUnetConfig {
  const config: BandUnetConfig = {
    channels: (exit.shape[0] ?? 0) / 4,
    widths: levels.map(({ entry }) => entry.shape[0] ?? 0),
    encoder: levels.map(({ encoder }) => encoder.length),
    decoder: levels.map(({ decoder }) => decoder.length),
  };
  const { channels, widths } = config;
  const whole = [channels, ...widths].every((n) => Number.isInteger(n) && n > 0);
  const template =
    whole && widths.length > 0 ? build(config, (shape) => ({ shape, data: new Float32Array(0) })) : undefined;
  if (template === undefined || shapesOf(template) !== shapesOf({ levels, exit }))
    throw new UserError(
      "nn/band-unet",
      `not a band U-Net: its ${widths.length} levels of widths ${widths.join(", ")} do not fit together.`,
    );
  return config;
}

function shapesOf(params: BandUnetParams): string {
  return JSON.stringify(params, (_, value: unknown) =>
    typeof value === "object" && value !== null && "shape" in value ? value.shape : value,
  );
}

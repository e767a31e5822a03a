/**
 * @module Multi-scale local denoising as graph. A pyramid (Kadkhodaie et al. 2023) denoises the coarsest low-pass band of
 * a noisy image first, then the details of each level beside the low-pass band that is already denoised, up to the image;
 * a U-Net takes the noisy bands of all levels at once. Bands are normalised so that a low-pass band is a local mean and
 * keeps the range of the image.
 */
import {
  type Backend,
  compile,
  concat,
  constant,
  div,
  GraphError,
  isNdArray,
  mul,
  narrow,
  type NdArray,
  split,
  sub,
  type Tensor,
  treeMap,
  UserError,
} from "onnxgrad";
import type { Residual } from "../../../diffusion/ascent/residual.ts";
import { bandFeatures, bandUnet, type BandUnetParams, type NoisyBands } from "../../../nn/band-unet.ts";
import { foldBfCnn, foldedBfCnn } from "../../../nn/bf-cnn.ts";
import type { Phase } from "../../../nn/batch-norm.ts";
import type { BfCnnNetwork } from "../../../nn/bf-cnn-network.ts";
import type { Params } from "../../../nn/layers.ts";
import { dwt2Graph, idwt2Graph } from "../../../wavelet/graph.ts";
import { isHaar } from "../../../wavelet/haar.ts";
import { wavelet as waveletNamed } from "../../../wavelet/wavelets.ts";
import { convolveBlocks, fitsBlocks, synthesiseBlocks } from "./band-blocks.ts";
import { hasNoisyCondition, levelsOf, type LocalModel, mirrorMargin } from "./model.ts";
import { cropAround, mirrorAround } from "./mirror-around.ts";
import { limited, noiseScale, withoutMean } from "./noise-units.ts";

/** The noise that a network sees in its input, as graph. */
export type GraphResidual = (x: Tensor) => Tensor;

/** Normalised bands of an image [n, c, h, w]. */
export interface NormalisedBands {
  /** Of the coarsest level J: [n, c, h / 2^J, w / 2^J]. */
  readonly low: Tensor;
  /** Of level 1 (finest) to J: [n, 3c, h / 2^j, w / 2^j], band by band as `dwt2Graph()` has them. */
  readonly details: readonly Tensor[];
}

/** Denoised image and the denoised bands that it was made from. */
export interface DenoisedBands extends NormalisedBands {
  readonly image: Tensor;
}

/**
 * One level of the transform, normalised. By Haar a block [[a, b], [c, d]] has the low (a+b+c+d)/4 and the details
 * (a+b-c-d)/4, (a-b+c-d)/4, (a-b-c+d)/4; any other orthogonal wavelet sees images as periodic. White noise of deviation
 * s becomes white noise of deviation s/2.
 * @throws GraphError when an extent is odd.
 */
export function analyseLevel(x: Tensor, wavelet: string): NoisyBands {
  const [h, w] = x.shape.slice(-2) as [number, number];
  if (h % 2 !== 0 || w % 2 !== 0)
    throw new GraphError(`analyseLevel: [${x.shape.join(",")}] has an odd extent. Pad or crop it.`);
  const { low, detail } = dwt2Graph(x, wavelet, "periodization");
  return { low: mul(low, 0.5), detail: mul(detail, 0.5) };
}

/** Inverts {@link analyseLevel}. */
export function synthesiseLevel(low: Tensor, detail: Tensor, wavelet: string): Tensor {
  return mul(idwt2Graph({ low, detail }, wavelet, "periodization"), 2);
}

/**
 * Denoises x [n, c, h, w] from coarse to fine: x_J = y_J - f_low(y_J), then for j = J..1 the details
 * d_j = e_j - f_j([x_j, e_j]) and x_{j-1} from both. `details[j - 1]` is f_j; without any, this is x - f_low(x). With a
 * noisy condition f_j sees [x_j, y_j, e_j].
 * @throws GraphError when an extent is no multiple of 2^J.
 */
export function denoiseBands(
  low: GraphResidual,
  details: readonly GraphResidual[],
  x: Tensor,
  wavelet: string,
  noisyCondition = false,
): DenoisedBands {
  const noisy = analyseLevels(x, details.length, wavelet);
  const band = noisy.at(-1)?.low ?? x;
  const coarsest = sub(band, low(band));
  const clean: Tensor[] = [];
  let image = coarsest;
  for (let j = details.length - 1; j >= 0; j--) {
    const { low: noisyLow, detail: noisyDetail } = noisy[j]!;
    const seen = [image, ...(noisyCondition ? [noisyLow] : []), noisyDetail];
    const detail = sub(noisyDetail, details[j]!(concat(seen, 1)));
    clean.unshift(detail);
    image = synthesiseLevel(image, detail, wavelet);
  }
  return { image, low: coarsest, details: clean };
}

/** The bands of x [n, c, h, w] of level 1 (finest) to `levels`. @throws GraphError when an extent is no multiple of 2^J. */
export function analyseLevels(x: Tensor, levels: number, wavelet: string): NoisyBands[] {
  const bands: NoisyBands[] = [];
  for (let low = x; bands.length < levels; { low } = bands.at(-1)!) bands.push(analyseLevel(low, wavelet));
  return bands;
}

/**
 * The noise in x [n, c, h, w] by a U-Net over its bands, which sees them in units of the noise and without brightness:
 * f(a x + b) = a f(x) for a > 0. No coefficient of the finest bands is more than 8 deviations of the noise. Both phases
 * compute the same; for inference the last convolution goes by blocks where that is faster (`band-blocks.ts`).
 * @throws GraphError when an extent is no multiple of 2^J.
 */
export function unetResidual(
  network: Params<BandUnetParams>,
  x: Tensor,
  wavelet: string,
  phase: Phase = "training",
): Tensor {
  const c = x.shape[1]!;
  const bands = analyseLevels(x, network.levels.length, wavelet);
  const scale = noiseScale(narrow(bands[0]!.detail, 1, 2 * c, c));
  const seen = bands.map(({ low, detail }, j) => {
    const unit = mul(scale, 0.5 ** j); // a level halves the noise
    return { low: div(withoutMean(low), unit), detail: div(detail, unit) };
  });
  const finish = (noise: Tensor) => mul(limited(noise), scale);
  if (phase === "inference" && isHaar(waveletNamed(wavelet)) && fitsBlocks(bands[0]!.low, network.exit))
    return synthesiseBlocks(finish(convolveBlocks(bandFeatures(network, seen), network.exit)));
  const noise = finish(bandUnet(network, seen)); // [n, 4c, h / 2, w / 2]
  const [low, detail] = split(noise, [c, 3 * c], 1) as [Tensor, Tensor];
  return synthesiseLevel(low, detail, wavelet);
}

/**
 * A trained model as graph, its numbers constants: noisy images [n, c, h, w] to denoised ones and their bands. Wavelets
 * other than Haar see images as periodic.
 */
export function traceDenoiser(model: LocalModel): (x: Tensor) => DenoisedBands {
  const { wavelet } = model;
  if (model.kind === "pyramid") {
    const low = graphResidual(model.low);
    const details = model.details.map(graphResidual);
    return (x) => denoiseBands(low, details, x, wavelet, hasNoisyCondition(model));
  }
  const network = treeMap(model.network as never, isNdArray, ({ shape, data }: NdArray) =>
    constant(data, shape),
  ) as unknown as Params<BandUnetParams>;
  return (x) => {
    const image = sub(x, unetResidual(network, x, wavelet, "inference"));
    const bands = analyseLevels(image, levelsOf(model), wavelet);
    return { image, low: bands.at(-1)!.low, details: bands.map(({ detail }) => detail) };
  };
}

/** A trained network as graph, its folded weights constants. */
export function graphResidual({ params, statistics }: BfCnnNetwork): GraphResidual {
  const weights = foldBfCnn(params, statistics).map(({ shape, data }) => constant(data, shape));
  return (x) => foldedBfCnn(weights, x);
}

/** Denoised arrays. */
export interface DenoisedArrays {
  readonly image: Float32Array;
  /** Where they were asked for: the coarsest low-pass band, and the details of level 1 (finest) to J. */
  readonly bands?: { readonly low: Float32Array; readonly details: readonly Float32Array[] };
}

/** How {@link compileDenoiser} takes an image and what it gives. */
export interface CompileDenoiserOptions {
  /**
   * Images of a wavelet other than Haar are continued by mirroring, so that opposite borders do not see each other; by
   * `wrap` they are left as they are, for callers that see to their borders themselves. Default `mirror`.
   */
  readonly borders?: "mirror" | "wrap";
  /** Give the denoised bands too; default false. */
  readonly bands?: boolean;
  /** See `RunOptions` of onnxgrad: for loops that would only drop copies; default false. */
  readonly reuse?: boolean;
}

/** A model compiled for images of one shape. Runs that overlap take turns, and each gets arrays of its own. */
export interface CompiledDenoiser {
  /** Images [n, c, h, w] of the range of training, [0, 1] for the published networks. */
  run(noisy: Float32Array): Promise<DenoisedArrays>;
  dispose(): Promise<void>;
}

/**
 * Compiles a model for images of `shape` [n, c, h, w].
 * @throws UserError `local/shape` when the channels are not those of the model or an extent is no multiple of 2^J.
 *
 * @example
 * const denoiser = await compileDenoiser(node(), model, [1, 1, 160, 160]);
 * const { image } = await denoiser.run(noisy);
 */
export async function compileDenoiser(
  backend: Backend,
  model: LocalModel,
  shape: readonly [n: number, c: number, h: number, w: number],
  { borders = "mirror", bands = false, reuse = false }: CompileDenoiserOptions = {},
): Promise<CompiledDenoiser> {
  const [, channels, height, width] = shape;
  const levels = levelsOf(model);
  const multiple = 2 ** levels;
  if (channels !== model.channels || height % multiple !== 0 || width % multiple !== 0)
    throw new UserError(
      "local/shape",
      `images of ${channels} channels and ${width} x ${height} pixels: this model takes ${model.channels} channels and ` +
        `extents that are multiples of ${multiple}. Convert or pad them.`,
    );
  const denoise = traceDenoiser(model);
  const margin = borders === "wrap" ? 0 : mirrorMargin(model);
  const program = await compile(backend, { inputs: { x: shape } }, ({ x }) => {
    const found = denoise(mirrorAround(x, margin));
    const image = cropAround(found.image, margin);
    if (!bands) return { image };
    const details = found.details.map((detail, j) => [
      `detail${j}`,
      cropAround(detail, margin / 2 ** (j + 1)),
    ]);
    return { image, low: cropAround(found.low, margin / multiple), ...Object.fromEntries(details) } as {
      readonly [name: string]: Tensor;
    };
  });
  return {
    async run(noisy) {
      const found: Readonly<Record<string, Float32Array>> = await program.run({ x: noisy }, { reuse });
      const image = found["image"]!;
      if (!bands) return { image };
      const details = Array.from({ length: levels }, (_, j) => found[`detail${j}`]!);
      return { image, bands: { low: found["low"]!, details } };
    },
    dispose: () => program.dispose(),
  };
}

/** One network compiled for inputs of one shape, as the samplers take it. Calls that overlap take turns. */
export interface CompiledResidual {
  /** Noise in x [n, inputs, h, w] as [n, outputs, h, w]. */
  readonly residual: Residual<Float32Array>;
  dispose(): Promise<void>;
}

/** Compiles one network of a model for inputs of `shape` [n, inputs, h, w]; `reuse`: as for a denoiser. */
export async function compileResidual(
  backend: Backend,
  network: BfCnnNetwork,
  shape: readonly [n: number, inputs: number, h: number, w: number],
  { reuse = false }: Pick<CompileDenoiserOptions, "reuse"> = {},
): Promise<CompiledResidual> {
  const program = await compile(backend, { inputs: { x: shape } }, ({ x }) => ({
    noise: graphResidual(network)(x),
  }));
  return {
    residual: async (x) => (await program.run({ x }, { reuse })).noise,
    dispose: () => program.dispose(),
  };
}

/**
 * The residual of details [n, 3c, h, w] given their low-pass band [n, c, h, w], from that of a conditional network on
 * both, [n, 4c, h, w].
 */
export function conditionalResidual(
  residual: Residual<Float32Array>,
  low: Float32Array,
  images: number,
): Residual<Float32Array> {
  const size = low.length / images;
  const withLow = new Float32Array(4 * low.length);
  for (let i = 0; i < images; i++) withLow.set(low.subarray(i * size, (i + 1) * size), 4 * i * size);
  let free: Float32Array | undefined = withLow;
  return async (details) => {
    const both = free ?? withLow.slice(); // another where a call before has not ended
    free = undefined;
    for (let i = 0; i < images; i++)
      both.set(details.subarray(3 * i * size, 3 * (i + 1) * size), (4 * i + 1) * size);
    try {
      return await residual(both);
    } finally {
      free = both;
    }
  };
}

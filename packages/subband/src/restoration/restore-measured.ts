/**
 * @module Pictures from measurements of them: enlarged, with holes filled, or sharpened. Every image of a picture's view
 * (gray, colour, or luma and chroma) is sampled under its own data; here too is the map of how far the samples differ.
 */
import type { ImageExtents } from "../diffusion/measurements/measurement.ts";
import type { MeasuredData } from "../diffusion/ascent/constrained.ts";
import { noiseGains, pictureSource, type PictureView, viewOf, writeRows } from "./image-source.ts";
import { blankLike, type Picture, peakOf, strideOf } from "./picture.ts";
import { type Posterior, type PosteriorOptions, samplePosterior, tiledResidual } from "./sample-posterior.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { isTranslucent } from "./visible-colours.ts";

/** What is known of the image to find. */
export interface Measured {
  readonly height: number;
  readonly width: number;
  /** Pixels [height, width] that the data do not fix: what the model says of others does not matter. Default: all. */
  readonly unknown?: Uint8Array;
  /** Data of one image of the view, from the values [channels, h, w] of the picture given; `gain` is that of its noise. */
  data(extents: ImageExtents, values: Float32Array, gain: number): MeasuredData;
}

/** A picture from samples. */
export interface MeasuredResult {
  /** Values of the view, [images, channels, height, width]. */
  readonly values: Float32Array;
  readonly view: PictureView;
  /** Standard deviation of each pixel over the samples, root mean square over its colours, white being 1. */
  readonly deviation?: Float32Array;
}

/** What a variance of 1 in an image of the view is in the mean variance of red, green and blue. */
const VARIANCE_SHARES: Readonly<Record<PictureView, readonly number[]>> = {
  gray: [1],
  "luma-chroma": [1, 2 / 3, 8 / 9],
  colour: [1 / 3, 1 / 3, 1 / 3],
  "gray-thrice": [1 / 9, 1 / 9, 1 / 9],
};

/** Samples every image of the picture's view. */
export async function restoreMeasured(
  denoiser: TiledDenoiser,
  picture: Picture,
  { height, width, data, unknown }: Measured,
  options: PosteriorOptions,
): Promise<MeasuredResult> {
  const { channels } = denoiser.model;
  const residual = tiledResidual(denoiser, [channels, height, width], unknown);
  return sampleView(picture, channels, { height, width }, options, (image, given, gain, own) =>
    samplePosterior(residual, data([channels, height, width], given, gain), image, own),
  );
}

/**
 * Samples one image of a view from its values [channels, h, w] in the picture; `gain` is that of its noise, `options` are
 * those of the picture with its own share of the progress.
 */
export type SampleImage = (
  image: number,
  given: Float32Array,
  gain: number,
  options: PosteriorOptions,
) => Promise<Posterior>;

/** Samples every image of the view of a picture for a model of that many channels, each to `height` x `width`. */
export async function sampleView(
  picture: Picture,
  modelChannels: 1 | 3,
  { height, width }: Pick<Measured, "height" | "width">,
  options: PosteriorOptions,
  sampleImage: SampleImage,
): Promise<MeasuredResult> {
  const view = viewOf(picture, modelChannels);
  const source = pictureSource(picture, view);
  const { images, channels } = source;
  const size = channels * height * width;
  const values = new Float32Array(images * size);
  const variance = new Float32Array(height * width);
  const { onShare } = options;
  for (let image = 0; image < images; image++) {
    const given = new Float32Array(channels * source.height * source.width);
    source.read(image, 0, 0, source.height, source.width, given);
    const found = await sampleImage(image, given, noiseGains(view)[image]!, {
      ...options,
      onShare: onShare && ((share) => onShare((image + share) / images)),
    });
    values.set(found.mean, image * size);
    addVariance(variance, found, VARIANCE_SHARES[view].slice(image * channels));
  }
  return { values, view, ...(options.samples > 1 && { deviation: variance.map(Math.sqrt) }) };
}

function addVariance(sum: Float32Array, { deviation }: Posterior, shares: readonly number[]): void {
  if (deviation === undefined) return;
  for (let i = 0; i < deviation.length; i++) {
    const pixel = i % sum.length;
    sum[pixel] = sum[pixel]! + shares[Math.floor(i / sum.length)]! * deviation[i]! ** 2;
  }
}

/** The values of a view as a picture of the kind of `like`, opaque where that has alpha. */
export function pictureOf(
  like: Picture,
  { values, view }: Pick<MeasuredResult, "values" | "view">,
  height: number,
  width: number,
): Picture {
  const samples = blankLike(like.samples, height * width * strideOf(like));
  const picture = { ...like, height, width, samples };
  if (like.alpha) samples.fill(like.samples instanceof Uint16Array ? 65535 : 255);
  writeRows(picture, view, 0, height, values, samples);
  return picture;
}

/** The deviation as far as it is seen: times the alpha of the picture that it is of. */
export function seenDeviation(deviation: Float32Array, picture: Picture): Float32Array {
  if (!isTranslucent(picture)) return deviation;
  const { samples, colours } = picture;
  const scale = 1 / peakOf(picture);
  return deviation.map((value, i) => value * scale * samples[i * (colours + 1) + colours]!);
}

/** The deviation as a gray picture, and the deviation that is white in it: the greatest, at least one step of 8 bits. */
export function uncertaintyMap(
  deviation: Float32Array,
  height: number,
  width: number,
): { readonly picture: Picture; readonly white: number } {
  const white = deviation.reduce((most, value) => Math.max(most, value), 1 / 255);
  const samples = Uint8Array.from(deviation, (value) => Math.round((255 * value) / white));
  return { picture: { height, width, colours: 1, alpha: false, samples, notes: [] }, white };
}

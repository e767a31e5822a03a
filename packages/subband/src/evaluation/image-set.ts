/**
 * @module What is kept of a set of images once all of them went by: their mean spectrum, sums that figures of pictures are made
 * of, a row of features each, and the first ones as they are.
 */
import { slices } from "onnxgrad";
import { greyImages, radialPowerSpectrum } from "../spectrum/radial.ts";
import type { ImageShape } from "../systems/system.ts";
import type { OpenFeatures } from "./features/feature-extractor.ts";
import { type Rows, rowsOf } from "./metrics/rows.ts";
import { changeSums } from "./pictures/blockiness.ts";
import { speckSums } from "./pictures/specks.ts";
import { type BandStatistics, measuringBands } from "./band-report.ts";
import type { ImageStream } from "./image-stream.ts";

/** Pictures that are kept, at most, and the bytes that they may take. */
const MOST_PICTURES = 5000;
const MOST_BYTES = 2 ** 28;

/** Images, measured. */
export interface ImageSet {
  readonly image: ImageShape;
  readonly count: number;
  /** Mean radial spectrum of the grey images. */
  readonly spectrum: Float64Array;
  /** See `speckSums()` and `changeSums()`; absent where sides are under 16 pixels. */
  readonly sums: { readonly specks: Float64Array; readonly changes: Float64Array } | undefined;
  /** Features of all; absent where none were asked for. */
  readonly rows: Rows | undefined;
  /** The first images [pictureCount, channels, height, width]: what figures of pictures are computed on. */
  readonly pictures: Float32Array;
  readonly pictureCount: number;
}

/** How many pictures of `count` are kept. */
export function keptPictures(count: number, { channels, height, width }: ImageShape): number {
  const most = Math.floor(MOST_BYTES / (4 * channels * height * width));
  return Math.min(count, MOST_PICTURES, Math.max(1, most));
}

/** Lets all images of a stream go by, through `features` where they are wanted; `onProgress` is told how many have. */
export async function measureImages(
  stream: ImageStream,
  features?: OpenFeatures,
  onProgress?: (done: number) => void,
): Promise<ImageSet> {
  const { image, count } = stream;
  const size = image.channels * image.height * image.width;
  const pictureCount = keptPictures(count, image);
  const pictures = new Float32Array(pictureCount * size);
  let spectrum: Float64Array | undefined;
  const [specked, changed] = [speckSums, changeSums].map((of) => (isLarge(image) ? of(image) : undefined));
  let [specks, changes] = [specked?.start(), changed?.start()];
  let rows: Float32Array | undefined;
  let done = 0;
  const pause = slices();
  for await (const batch of stream.batches()) {
    const n = batch.length / size;
    if (done < pictureCount) pictures.set(batch.subarray(0, (pictureCount - done) * size), done * size);
    await pause();
    const power = spectrumOf(batch, image);
    spectrum ??= new Float64Array(power.length);
    for (let i = 0; i < power.length; i++) spectrum[i]! += (power[i]! * n) / count;
    await pause();
    specks = specks && specked?.add(specks, batch, n);
    changes = changes && changed?.add(changes, batch, n);
    const found = await features?.extract(batch, image, n);
    if (found !== undefined)
      (rows ??= new Float32Array((count * found.length) / n)).set(found, (done * found.length) / n);
    done += n;
    onProgress?.(done);
  }
  return {
    ...{ image, count, spectrum: spectrum!, pictures, pictureCount },
    sums: specks && changes && { specks, changes },
    rows: rows && rowsOf(rows, count),
  };
}

/** Whether specks and grids can be told. */
function isLarge({ height, width }: ImageShape): boolean {
  return Math.min(height, width) >= 16;
}

/** Radial spectrum of each picture that is kept, `most` at most, a piece each. */
export function* pictureSpectra(
  { image, pictures, pictureCount }: ImageSet,
  most: number,
): Generator<void, Float64Array[]> {
  const size = image.channels * image.height * image.width;
  const spectra: Float64Array[] = [];
  for (let i = 0; i < Math.min(most, pictureCount); i++) {
    spectra.push(spectrumOf(pictures.subarray(i * size, (i + 1) * size), image));
    yield;
  }
  return spectra;
}

/** Moments of each band of the pictures that are kept, in pieces. */
export function bandsOf(
  { image, pictures, pictureCount }: ImageSet,
  levels: number,
): Generator<void, readonly BandStatistics[]> {
  const shape = [pictureCount, image.channels, image.height, image.width];
  return measuringBands({ data: pictures, shape }, levels);
}

/** Mean radial spectrum of the grey versions of flat images. */
function spectrumOf(pixels: Float32Array, { channels, height, width }: ImageShape): Float64Array {
  return radialPowerSpectrum(greyImages(pixels, channels, height, width), height, width);
}

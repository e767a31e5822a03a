/**
 * @module Where the numbers of an image come from: a picture's samples as the planes that a model takes, an array, or
 * either one continued to larger extents by mirroring. Read by windows, so that a large picture never is a large array
 * of floats.
 *
 * A gray model takes a colour picture as three gray images, luma (r+g+b)/3 and the chroma (r-b)/2 and (r-2g+b)/4: their
 * noise is independent, and each keeps its structure. Measured on photographs with noise of 10 to 50 / 255, that is 0.4
 * to 1.8 dB better than denoising r, g and b; luma alone leaves most of the noise. Networks without bias need no middle
 * gray: chroma about 0 is up to 0.5 dB better than about 0.5.
 */
import { invariant } from "onnxgrad";
import { type Picture, peakOf, type PictureSamples, strideOf } from "./picture.ts";

/** Images [channels, height, width] of one size, read by windows. */
export interface ImageSource {
  readonly images: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
  /** Fills `out` [channels, height, width] with the window of an image whose corner is at (y, x); it lies inside. */
  read(image: number, y: number, x: number, height: number, width: number, out: Float32Array): void;
}

/** How a picture is taken apart into images for a model of that many channels. */
export type PictureView = "gray" | "luma-chroma" | "colour" | "gray-thrice";

/** The view of a picture for a model. */
export function viewOf(picture: Pick<Picture, "colours">, channels: 1 | 3): PictureView {
  if (channels === 1) return picture.colours === 1 ? "gray" : "luma-chroma";
  return picture.colours === 3 ? "colour" : "gray-thrice";
}

/** Luma and chroma of full red, green and blue; rows are orthogonal. */
const OPPONENTS = [
  [1 / 3, 1 / 3, 1 / 3],
  [1 / 2, 0, -1 / 2],
  [1 / 4, -1 / 2, 1 / 4],
] as const;
/** What one unit of luma and of each chroma adds to red, green and blue. */
const COLOURS = [
  [1, 1, 2 / 3],
  [1, 0, -4 / 3],
  [1, -1, 2 / 3],
] as const;

/** The deviation of white noise of deviation 1 in each image of a view. */
export function noiseGains(view: PictureView): readonly number[] {
  return view === "luma-chroma" ? OPPONENTS.map((row) => Math.hypot(...row)) : [1];
}

/** The picture as images of values 0..1 (chroma -0.5..0.5). */
export function pictureSource(picture: Picture, view: PictureView): ImageSource {
  const { height, width, samples } = picture;
  const [stride, scale] = [strideOf(picture), 1 / peakOf(picture)];
  const [images, channels] = view === "luma-chroma" ? [3, 1] : view === "gray" ? [1, 1] : [1, 3];
  return {
    images,
    channels,
    height,
    width,
    read(image, y, x, rows, columns, out) {
      const area = rows * columns;
      for (let i = 0; i < rows; i++)
        for (let j = 0, at = ((y + i) * width + x) * stride; j < columns; j++, at += stride) {
          const to = i * columns + j;
          if (view === "luma-chroma") {
            const [r, g, b] = OPPONENTS[image]!;
            out[to] = scale * (r! * samples[at]! + g! * samples[at + 1]! + b! * samples[at + 2]!);
          } else {
            for (let c = 0; c < channels; c++)
              out[c * area + to] = scale * samples[at + (view === "colour" ? c : 0)]!;
          }
        }
    },
  };
}

/** Flat images [images, channels, height, width] as a source. */
export function arraySource(
  data: Float32Array,
  [images, channels, height, width]: readonly [number, number, number, number],
): ImageSource {
  invariant(data.length === images * channels * height * width, `${data.length} values of a source`);
  return {
    images,
    channels,
    height,
    width,
    read(image, y, x, rows, columns, out) {
      for (let c = 0; c < channels; c++)
        for (let i = 0; i < rows; i++) {
          const at = ((image * channels + c) * height + y + i) * width + x;
          out.set(data.subarray(at, at + columns), (c * rows + i) * columns);
        }
    },
  };
}

/**
 * The source continued by mirroring, with its first and last rows and columns repeated: above and to the left by `before`
 * pixels, below and to the right up to `height` and `width`.
 */
export function mirrored(source: ImageSource, height: number, width: number, before = 0): ImageSource {
  if (height === source.height && width === source.width) return source;
  const fold = (at: number, extent: number): number => {
    const phase = (((at - before) % (2 * extent)) + 2 * extent) % (2 * extent);
    return phase < extent ? phase : 2 * extent - 1 - phase;
  };
  return {
    ...source,
    height,
    width,
    read(image, y, x, rows, columns, out) {
      const [top, left] = [y - before, x - before];
      const within = top >= 0 && left >= 0;
      if (within && top + rows <= source.height && left + columns <= source.width) {
        source.read(image, top, left, rows, columns, out);
        return;
      }
      // A window of single rows: what lies beyond the border is little.
      const line = new Float32Array(source.channels * source.width);
      for (let i = 0; i < rows; i++) {
        source.read(image, fold(y + i, source.height), 0, 1, source.width, line);
        for (let c = 0; c < source.channels; c++)
          for (let j = 0; j < columns; j++)
            out[(c * rows + i) * columns + j] = line[c * source.width + fold(x + j, source.width)]!;
      }
    },
  };
}

/**
 * Writes images [images, channels, rows, width] of `view` into rows y.. of `samples`, which has the layout of `picture`,
 * clipped and rounded. Alpha is not touched.
 */
export function writeRows(
  picture: Picture,
  view: PictureView,
  y: number,
  rows: number,
  values: Float32Array,
  samples: PictureSamples,
): void {
  const { width, colours } = picture;
  const [stride, peak] = [strideOf(picture), peakOf(picture)];
  const valueWidth = values.length / (rows * (view === "gray" ? 1 : 3));
  const plane = rows * valueWidth;
  for (let i = 0; i < rows; i++)
    for (let x = 0; x < width; x++) {
      const from = i * valueWidth + x;
      const to = ((y + i) * width + x) * stride;
      for (let c = 0; c < colours; c++) {
        let value = 0;
        if (view === "luma-chroma")
          for (let k = 0; k < 3; k++) value += COLOURS[c]![k]! * values[k * plane + from]!;
        else if (view === "gray-thrice") for (let k = 0; k < 3; k++) value += values[k * plane + from]! / 3;
        else value = values[c * plane + from]!;
        samples[to + c] = Math.min(peak, Math.max(0, Math.round(peak * value)));
      }
    }
}

/**
 * @module The bands that a pyramid's networks go over, and images made of denoised ones. By Haar, whose blocks do not
 * overlap, both are done by strips as they are asked for; the bands of other wavelets lie in memory as a whole.
 */
import type { PyramidModel } from "../systems/local-model.ts";
import { joinMeans, splitMeans } from "../wavelet/haar-means.ts";
import { analyseMeans, synthesiseMeans } from "../wavelet/mean-bands.ts";
import { planes } from "../wavelet/planes.ts";
import { arraySource, type ImageSource } from "./image-source.ts";

/** Takes rows y .. y + rows - 1 of all images: [images, channels, rows, width], reused by the next call. */
export type RowSink = (y: number, rows: number, values: Float32Array) => void;

/** One level of a noisy image. */
export interface BandLevel {
  /** Noisy bands: as many channels as the image has, and three times as many. */
  readonly low: ImageSource;
  readonly details: ImageSource;
  /** A sink of denoised details, from top to bottom, that hands on the image made of them and the denoised `low`. */
  join(low: ImageSource, emit: RowSink): RowSink;
}

/** One level of a source of even extents. */
export function bandLevel(source: ImageSource, { wavelet }: Pick<PyramidModel, "wavelet">): BandLevel {
  return wavelet === "haar" ? haarLevel(source) : wholeLevel(source, wavelet);
}

/** Rows that are computed at once. */
const STRIP = 64;

function haarLevel(source: ImageSource): BandLevel {
  const { images, channels } = source;
  return {
    low: haarMeans(source),
    details: haarDetails(source),
    join: (low, emit) => (y, rows, details) => {
      const joined = joinMeans({
        low: planes(windowOf(low, y, rows), [images, channels, rows, low.width]),
        details: planes(details, [images, 3 * channels, rows, low.width]),
      });
      emit(2 * y, 2 * rows, joined.data);
    },
  };
}

/** The local means of a source, computed by strips. */
function haarMeans(source: ImageSource): ImageSource {
  const { images, channels } = source;
  const [height, width] = [source.height / 2, source.width / 2];
  const out = new Float32Array(images * channels * height * width);
  for (let y = 0; y < height; y += STRIP) {
    const rows = Math.min(STRIP, height - y);
    const fine = planes(windowOf(source, 2 * y, 2 * rows), [images, channels, 2 * rows, 2 * width]);
    copyRows(splitMeans(fine).low.data, y, rows, out, images * channels, height, width);
  }
  return arraySource(out, [images, channels, height, width]);
}

/** The noisy details of a source, computed as they are read. */
function haarDetails(finer: ImageSource): ImageSource {
  const { images, channels } = finer;
  return {
    images,
    channels: 3 * channels,
    height: finer.height / 2,
    width: finer.width / 2,
    read(image, y, x, height, width, out) {
      const fine = new Float32Array(4 * channels * height * width);
      finer.read(image, 2 * y, 2 * x, 2 * height, 2 * width, fine);
      out.set(splitMeans(planes(fine, [channels, 2 * height, 2 * width])).details.data);
    },
  };
}

/** By any wavelet: plane by plane, so that little lies in memory besides the bands. */
function wholeLevel(source: ImageSource, wavelet: string): BandLevel {
  const { images, channels } = source;
  const [height, width] = [source.height / 2, source.width / 2];
  const area = height * width;
  const low = new Float32Array(images * channels * area);
  const details = new Float32Array(3 * low.length);
  const image = new Float32Array(4 * channels * area);
  for (let i = 0; i < images; i++) {
    source.read(i, 0, 0, source.height, source.width, image);
    for (let c = 0; c < channels; c++) {
      const plane = image.subarray(4 * c * area, 4 * (c + 1) * area);
      const bands = analyseMeans(planes(plane, [1, source.height, source.width]), wavelet);
      low.set(bands.low.data, (i * channels + c) * area);
      for (let b = 0; b < 3; b++)
        details.set(bands.details.data.subarray(b * area, (b + 1) * area), detailAt(i, b, c));
    }
  }
  return {
    low: arraySource(low, [images, channels, height, width]),
    details: arraySource(details, [images, 3 * channels, height, width]),
    join(coarse, emit) {
      const found = new Float32Array(details.length);
      return (y, rows, values) => {
        copyRows(values, y, rows, found, 3 * images * channels, height, width);
        if (y + rows === height) emitStrips(joined(coarse, found), emit);
      };
    },
  };

  /** Where band `b` of channel `c` of an image begins. */
  function detailAt(i: number, b: number, c: number): number {
    return ((3 * i + b) * channels + c) * area;
  }

  function joined(coarse: ImageSource, found: Float32Array): ImageSource {
    const out = new Float32Array(4 * images * channels * area);
    const both = [new Float32Array(channels * area), new Float32Array(3 * area)] as const;
    for (let i = 0; i < images; i++) {
      coarse.read(i, 0, 0, height, width, both[0]);
      for (let c = 0; c < channels; c++) {
        for (let b = 0; b < 3; b++)
          both[1].set(found.subarray(detailAt(i, b, c), detailAt(i, b, c) + area), b * area);
        const bands = {
          low: planes(both[0].subarray(c * area, (c + 1) * area), [1, height, width]),
          details: planes(both[1], [3, height, width]),
        };
        out.set(synthesiseMeans(bands, wavelet).data, 4 * (i * channels + c) * area);
      }
    }
    return arraySource(out, [images, channels, source.height, source.width]);
  }
}

function emitStrips(source: ImageSource, emit: RowSink): void {
  for (let y = 0; y < source.height; y += STRIP) {
    const rows = Math.min(STRIP, source.height - y);
    emit(y, rows, windowOf(source, y, rows));
  }
}

/** Whole rows of all images: [images, channels, rows, width]. */
export function windowOf(
  { images, channels, width, read }: ImageSource,
  y: number,
  rows: number,
): Float32Array {
  const size = channels * rows * width;
  const out = new Float32Array(images * size);
  for (let i = 0; i < images; i++) read(i, y, 0, rows, width, out.subarray(i * size, (i + 1) * size));
  return out;
}

/** Puts rows y.. [count, rows, width] into planes [count, height, width]. */
export function copyRows(
  values: Float32Array,
  y: number,
  rows: number,
  out: Float32Array,
  count: number,
  height: number,
  width: number,
): void {
  for (let p = 0; p < count; p++)
    out.set(values.subarray(p * rows * width, (p + 1) * rows * width), (p * height + y) * width);
}

/**
 * @module The bands that a pyramid's networks go over, and images made of denoised ones. By Haar, whose blocks do not
 * overlap, both are done by strips as they are asked for; the bands of other wavelets lie in memory as a whole.
 */
import type { PyramidModel } from "../systems/parts/local/model.ts";
import { joinMeans, splitMeans } from "../wavelet/haar-means.ts";
import { analyseMeans, synthesiseMeans } from "../wavelet/mean-bands.ts";
import { planes } from "../wavelet/planes.ts";
import { wavelet } from "../wavelet/wavelets.ts";
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
export function bandLevel(source: ImageSource, model: Pick<PyramidModel, "wavelet">): BandLevel {
  return model.wavelet === "haar" ? haarLevel(source) : wholeLevel(source, model.wavelet);
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
  forStrips(height, (y, rows) => {
    const fine = planes(windowOf(source, 2 * y, 2 * rows), [images, channels, 2 * rows, 2 * width]);
    copyRows(splitMeans(fine).low.data, y, rows, out, images * channels, height, width);
  });
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

/** By any wavelet: bands in memory as a whole, made by strips and joined by strips, which periodic rows surround. */
function wholeLevel(source: ImageSource, name: string): BandLevel {
  const { images, channels } = source;
  const [height, width] = [source.height / 2, source.width / 2];
  const reach = filterRows(name);
  const area = height * width;
  const low = new Float32Array(images * channels * area);
  const details = new Float32Array(3 * low.length);
  for (let i = 0; i < images; i++)
    forStrips(height, (y, rows) => {
      const tall = rows + 2 * reach;
      const fine = periodicRows(source, i, 2 * (y - reach), 2 * tall);
      const bands = analyseMeans(planes(fine, [channels, 2 * tall, 2 * width]), name);
      copyInner(bands.low.data, tall, low.subarray(i * channels * area), y, rows);
      copyInner(bands.details.data, tall, details.subarray(3 * i * channels * area), y, rows);
    });
  return {
    low: arraySource(low, [images, channels, height, width]),
    details: arraySource(details, [images, 3 * channels, height, width]),
    join(coarse, emit) {
      const clean = new Float32Array(details.length);
      const fine = arraySource(clean, [images, 3 * channels, height, width]);
      return (y, rows, values) => {
        copyRows(values, y, rows, clean, 3 * images * channels, height, width);
        // The first rows of the image need the last ones of the bands.
        if (y + rows === height)
          forStrips(height, (top, count) => emit(2 * top, 2 * count, joined(coarse, fine, top, count)));
      };
    },
  };

  /** Rows 2y .. 2(y + rows) - 1 of the image. */
  function joined(coarse: ImageSource, fine: ImageSource, y: number, rows: number): Float32Array {
    const tall = rows + 2 * reach;
    const out = new Float32Array(images * channels * 4 * rows * width);
    const size = 2 * rows * 2 * width;
    for (let i = 0; i < images; i++) {
      const bands = {
        low: planes(periodicRows(coarse, i, y - reach, tall), [channels, tall, width]),
        details: planes(periodicRows(fine, i, y - reach, tall), [3 * channels, tall, width]),
      };
      const { data } = synthesiseMeans(bands, name);
      for (let c = 0; c < channels; c++) {
        const from = (2 * tall * c + 2 * reach) * 2 * width;
        out.set(data.subarray(from, from + size), (i * channels + c) * size);
      }
    }
    return out;
  }

  /** Rows reach .. reach + rows - 1 of planes [*, tall, width] to rows y.. of planes [*, height, width]. */
  function copyInner(from: Float32Array, tall: number, to: Float32Array, y: number, rows: number): void {
    for (let p = 0; p < from.length / (tall * width); p++) {
      const at = (p * tall + reach) * width;
      to.set(from.subarray(at, at + rows * width), (p * height + y) * width);
    }
  }
}

/** Rows of coefficients beyond a strip that its pixels, or the other way round, depend on: half a filter. */
function filterRows(name: string): number {
  return Math.ceil(wavelet(name).decLo.length / 4);
}

function forStrips(height: number, visit: (y: number, rows: number) => void): void {
  for (let y = 0; y < height; y += STRIP) visit(y, Math.min(STRIP, height - y));
}

/** Rows y .. y + rows - 1 of an image that repeats itself above and below: [channels, rows, width]. */
function periodicRows(source: ImageSource, image: number, y: number, rows: number): Float32Array {
  const { channels, height, width } = source;
  const out = new Float32Array(channels * rows * width);
  for (let done = 0; done < rows;) {
    const from = (((y + done) % height) + height) % height;
    const count = Math.min(rows - done, height - from);
    const part = new Float32Array(channels * count * width);
    source.read(image, from, 0, count, width, part);
    copyRows(part, done, count, out, channels, rows, width);
    done += count;
  }
  return out;
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

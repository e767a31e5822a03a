/**
 * @module Deblurring as a spectral measurement. A periodic blur is diagonal in frequency: `b^ = k^ x^`. Frequencies whose
 * gain |k^| is too small to be told from noise count as unmeasured; at the others `x^ = b^ / k^`, so M is the orthonormal
 * basis of those frequencies, and the noise of the picture reaches measured value i divided by its gain. The blur's
 * borders wrap: taper or pad a photograph whose borders do not meet.
 */
import { UserError } from "onnxgrad";
import { fft2 } from "../../spectrum/fft2.ts";
import type { State } from "../denoiser.ts";
import { hartleyTransform, mirroredFrequency } from "./frequencies.ts";
import {
  chosenEntries,
  extentsSize,
  type ImageExtents,
  likeOf,
  type LinearMeasurement,
  requireLength,
} from "./measurement.ts";

/** A blur kernel [height, width], row by row, of odd extents around its centre. */
export interface BlurKernel {
  readonly height: number;
  readonly width: number;
  readonly values: ArrayLike<number>;
}

/** The measurement of what a blur leaves. Measured values are Hartley coefficients of the sharp image. */
export interface BlurMeasurement extends LinearMeasurement {
  /** |k^| of each measured value; 1 where the kernel leaves a frequency as it is. */
  readonly gains: Float64Array;
  /** The image blurred, its borders wrapped around. */
  blur<T extends State>(x: T): T;
  /** A blurred image to the measured values of the sharp one: `M^T` of its inverse filtering. */
  measureBlurred<T extends State>(blurred: T): T;
  /** Standard deviation of the noise of each measured value, for white noise of deviation `sigma` in the blurred image. */
  noiseOf(sigma: number): Float64Array;
}

/** Settings of {@link blurMeasurement}. */
export interface BlurSettings {
  /**
   * Least gain, relative to that of the mean, of a frequency that counts as measured; default 0.05. Inverse filtering
   * multiplies noise by at most the reciprocal.
   */
  readonly leastGain?: number;
}

/**
 * What a blur by `kernel`, normalised to the sum 1, measures of an image.
 * @throws UserError `diffusion/kernel` when an extent is even or exceeds the image, or the kernel sums to zero or is
 * not finite; `diffusion/measurement` for a least gain out of range.
 */
export function blurMeasurement(
  extents: ImageExtents,
  kernel: BlurKernel,
  settings: BlurSettings = {},
): BlurMeasurement {
  const name = "blur";
  const size = extentsSize(name, extents);
  const [, height, width] = extents;
  const area = height * width;
  const { leastGain = 0.05 } = settings;
  if (!(leastGain > 0 && leastGain <= 1))
    throw new UserError("diffusion/measurement", `leastGain: ${leastGain}; expected a number in (0, 1].`);
  const { re: kernelRe, im: kernelIm } = transferFunction(extents, kernel);
  const gain = kernelRe.map((re, i) => Math.hypot(re, kernelIm[i]!));
  // Both of a pair (k, -k), whichever side of the bound rounding puts them.
  const measured = gain.map((g, at) => {
    return Math.max(g, gain[mirroredFrequency(height, width, at)]!) >= leastGain ? 1 : 0;
  });
  const chosen: number[] = [];
  for (let i = 0; i < size; i++) if (measured[i % area] === 1) chosen.push(i);
  const gains = Float64Array.from(chosen, (i) => gain[i % area]!);
  const transform = fft2(height, width);
  const hartley = hartleyTransform(extents);
  const base = chosenEntries(name, extents, chosen, hartley);

  /** Multiplies (or, where measured, divides) the spectrum of every channel by the transfer function. */
  function filtered(x: State, divide: boolean): Float64Array {
    requireLength(name, divide ? "blurred image" : "image", x, size);
    const out = Float64Array.from(x);
    for (let from = 0; from < size; from += area) {
      const re = out.subarray(from, from + area);
      const im = new Float64Array(area);
      transform.forward(re, im);
      for (let i = 0; i < area; i++) {
        const scale = !divide ? 1 : measured[i] === 1 ? 1 / gain[i]! ** 2 : 0;
        const [c, s] = [scale * kernelRe[i]!, scale * (divide ? -kernelIm[i]! : kernelIm[i]!)];
        const real = re[i]! * c - im[i]! * s;
        im[i] = re[i]! * s + im[i]! * c;
        re[i] = real;
      }
      transform.inverse(re, im);
    }
    return out;
  }
  return {
    ...base,
    gains,
    blur: (x) => likeOf(x, filtered(x, false)),
    measureBlurred: (blurred) => likeOf(blurred, base.measure(filtered(blurred, true))),
    noiseOf: (sigma) => gains.map((g) => sigma / g),
  };
}

/** The Fourier transform of the kernel, normalised and centred on the origin. */
function transferFunction(
  [, height, width]: ImageExtents,
  kernel: BlurKernel,
): { readonly re: Float64Array; readonly im: Float64Array } {
  const { height: rows, width: columns, values } = kernel;
  const size = `kernel: ${rows} x ${columns}`;
  const fail = (message: string): UserError => new UserError("diffusion/kernel", message);
  if (rows % 2 !== 1 || columns % 2 !== 1)
    throw fail(`${size}; expected odd extents, so that it has a centre. Pad it by a row or column of zeros.`);
  if (rows > height || columns > width)
    throw fail(`${size}; expected at most the image's ${height} x ${width}. Crop the kernel.`);
  if (values.length !== rows * columns) throw fail(`${size}; expected as many values, got ${values.length}.`);
  let [sum, magnitude] = [0, 0];
  for (let i = 0; i < values.length; i++) {
    sum += values[i]!;
    magnitude += Math.abs(values[i]!);
  }
  if (!Number.isFinite(sum)) throw fail("kernel: has values that are not finite. Give finite numbers.");
  if (Math.abs(sum) <= 1e-6 * magnitude || magnitude === 0)
    throw fail(
      "kernel: sums to zero, so it keeps no brightness; expected a positive sum. Check the kernel image.",
    );
  const re = new Float64Array(height * width);
  const im = new Float64Array(height * width);
  for (let i = 0; i < values.length; i++) {
    const y = (Math.floor(i / columns) - (rows - 1) / 2 + height) % height;
    const x = ((i % columns) - (columns - 1) / 2 + width) % width;
    re[y * width + x] = values[i]! / sum;
  }
  fft2(height, width).forward(re, im);
  return { re, im };
}

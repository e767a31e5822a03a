/** @module The two-dimensional discrete Fourier transform of any size, rows then columns, in place and in double precision. */
import { fft } from "./fft.ts";

/** A two-dimensional transform of one size. Real and imaginary parts are separate arrays [height, width]. */
export interface Fft2 {
  readonly height: number;
  readonly width: number;
  /** `X[k, l] = sum x[y, x] exp(-2 pi i (k y / height + l x / width))`, in place. */
  forward(re: Float64Array, im: Float64Array): void;
  /** Undoes {@link Fft2.forward}, with its factor 1 / (height width). */
  inverse(re: Float64Array, im: Float64Array): void;
}

/**
 * The transform of [height, width] arrays.
 * @throws UserError `spectrum/size` unless both are positive integers.
 */
export function fft2(height: number, width: number): Fft2 {
  const [rows, columns] = [fft(width), fft(height)];
  const columnRe = new Float64Array(height);
  const columnIm = new Float64Array(height);
  const forward = (re: Float64Array, im: Float64Array): void => {
    for (let y = 0; y < height; y++)
      rows.forward(re.subarray(y * width, (y + 1) * width), im.subarray(y * width, (y + 1) * width));
    for (let x = 0; x < width; x++) {
      for (let y = 0; y < height; y++) {
        columnRe[y] = re[y * width + x]!;
        columnIm[y] = im[y * width + x]!;
      }
      columns.forward(columnRe, columnIm);
      for (let y = 0; y < height; y++) {
        re[y * width + x] = columnRe[y]!;
        im[y * width + x] = columnIm[y]!;
      }
    }
  };
  return {
    height,
    width,
    forward,
    inverse(re, im) {
      // Swapping the parts conjugates (up to a factor i) before and after.
      forward(im, re);
      for (let i = 0; i < re.length; i++) {
        re[i] = re[i]! / re.length;
        im[i] = im[i]! / re.length;
      }
    },
  };
}

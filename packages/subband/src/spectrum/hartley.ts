/**
 * @module The orthonormal discrete Hartley transform in two dimensions: the Fourier transform of real images as a real,
 * symmetric, orthonormal matrix, `H[k] = (Re X[k] - Im X[k]) / sqrt(n)`, which is its own inverse (Bracewell 1983). The
 * pair (k, -k) spans the same plane as the cosine and sine of frequency k.
 */
import { fft2 } from "./fft2.ts";

/**
 * The transform of real [height, width] arrays of any size, in place; twice gives the array back.
 * @throws UserError `spectrum/size` unless both are positive integers.
 */
export function hartley2(height: number, width: number): (x: Float64Array) => void {
  const transform = fft2(height, width);
  const im = new Float64Array(height * width);
  const norm = 1 / Math.sqrt(height * width);
  return (x) => {
    im.fill(0);
    transform.forward(x, im);
    for (let i = 0; i < x.length; i++) x[i] = (x[i]! - im[i]!) * norm;
  };
}

/**
 * @module Power spectra of real images, averaged over a set. Powers are those of the orthonormal transform: their sum is
 * the energy of the image, and white noise of unit variance has power 1 at every frequency.
 */
import { UserError } from "onnxgrad";
import { fft2 } from "./fft2.ts";

/**
 * The mean power spectrum of a flat set of real images [n, height, width], as [height, width]: frequency k of an axis of
 * size N is at index k mod N, so the mean of the image is at index 0.
 * @throws UserError `spectrum/shape` unless the set holds a whole, positive number of images.
 */
export function meanPowerSpectrum2(images: ArrayLike<number>, height: number, width: number): Float64Array {
  const area = height * width;
  const count = images.length / area;
  if (!Number.isInteger(count) || count < 1) {
    throw new UserError(
      "spectrum/shape",
      `images: ${images.length} numbers; expected a positive multiple of ${height} x ${width} = ${area}. Check the shape.`,
    );
  }
  const transform = fft2(height, width);
  const power = new Float64Array(area);
  const re = new Float64Array(area);
  const im = new Float64Array(area);
  // Two images a transform, as real and imaginary part: |Z(k)|^2 + |Z(-k)|^2 is twice the sum of their powers.
  for (let image = 0; image < count; image += 2) {
    const paired = image + 1 < count;
    for (let i = 0; i < area; i++) {
      re[i] = images[image * area + i]!;
      im[i] = paired ? images[(image + 1) * area + i]! : 0;
    }
    transform.forward(re, im);
    for (let i = 0; i < area; i++) power[i] = power[i]! + re[i]! * re[i]! + im[i]! * im[i]!;
  }
  const mean = new Float64Array(area);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const mirrored = ((height - y) % height) * width + ((width - x) % width);
      mean[y * width + x] = (power[y * width + x]! + power[mirrored]!) / (2 * count * area);
    }
  }
  return mean;
}

/** @module Peak signal-to-noise ratio: how far an image is from its reference, in decibels of mean squared error. */
import { UserError } from "onnxgrad";

/**
 * `10 log10(peak^2 / mean (image - reference)^2)` over all values, dB; Infinity where both are equal. Values are taken
 * as they are: clip them first where the picture that is looked at is clipped.
 * @throws UserError `metric/size` when the sizes differ or are 0.
 */
export function psnr(image: ArrayLike<number>, reference: ArrayLike<number>, peak = 1): number {
  const n = image.length;
  if (n === 0 || reference.length !== n)
    throw new UserError(
      "metric/size",
      `psnr: ${n} and ${reference.length} values; expected two images of one size.`,
    );
  let total = 0;
  for (let i = 0; i < n; i++) total += (image[i]! - reference[i]!) ** 2;
  return 10 * Math.log10((peak * peak * n) / total);
}

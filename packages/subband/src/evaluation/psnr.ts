/** @module Peak signal-to-noise ratio: how far an image is from its reference, in decibels of mean squared error. */
import { UserError } from "onnxgrad";

/**
 * `10 log10(peak^2 / mean (image - reference)^2)` over all values, dB; Infinity where both are equal. Values are taken
 * as they are: clip them first where the picture that is looked at is clipped. With `weights`, one for each value of a
 * plane and the same for all planes, the mean is weighted; values of weight 0 are not looked at.
 * @throws UserError `metric/size` when the sizes differ or are 0, or the weights are not of a plane; `metric/weights` when
 * they add up to nothing.
 */
export function psnr(
  image: ArrayLike<number>,
  reference: ArrayLike<number>,
  peak = 1,
  weights?: ArrayLike<number>,
): number {
  const n = image.length;
  if (n === 0 || reference.length !== n)
    throw new UserError(
      "metric/size",
      `psnr: ${n} and ${reference.length} values; expected two images of one size.`,
    );
  const planes = weights === undefined ? 1 : n / weights.length;
  if (!Number.isInteger(planes))
    throw new UserError(
      "metric/size",
      `psnr: ${weights!.length} weights for ${n} values; expected one for each value of a plane.`,
    );
  let [total, count] = [0, n];
  if (weights === undefined) for (let i = 0; i < n; i++) total += (image[i]! - reference[i]!) ** 2;
  else {
    count = 0;
    for (let i = 0; i < n; i++) {
      const weight = weights[i % weights.length]!;
      if (weight === 0) continue;
      count += weight;
      total += weight * (image[i]! - reference[i]!) ** 2;
    }
    if (!(count > 0)) throw new UserError("metric/weights", "psnr: all weights are 0; expected some above.");
  }
  return 10 * Math.log10((peak * peak * count) / total);
}

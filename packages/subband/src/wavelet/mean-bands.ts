/**
 * @module One level of any orthogonal wavelet normalised as `haar-means.ts` has it: orthonormal coefficients halved, so
 * the low-pass band is a weighted local mean in the range of the image, and white noise of deviation s becomes s / 2 in
 * every band. Signals are continued periodically, so that bands are half as long; Haar needs no continuation.
 */
import { UserError } from "onnxgrad";
import { splitDetails, stackDetails } from "./bands.ts";
import { dwt2, idwt2 } from "./dwt.ts";
import { isHaar } from "./haar.ts";
import { type HaarMeans, joinMeans, splitMeans } from "./haar-means.ts";
import { type Planes, type Samples, splitShape } from "./planes.ts";
import { wavelet, type WaveletLike } from "./wavelets.ts";

/** The bands of one level: low-pass [..., c, h, w], and details [..., 3c, h, w] in the order of `stackDetails`. */
export type MeanBands<T extends Samples = Samples> = HaarMeans<T>;

/**
 * Analyses images [..., c, h, w] of even height and width; by Haar this is {@link splitMeans}.
 * @throws UserError `wavelet/shape` for odd or too few sizes; `unknown/wavelet`.
 */
export function analyseMeans<T extends Samples>(x: Planes<T>, name: WaveletLike): MeanBands<T> {
  const bank = wavelet(name);
  if (isHaar(bank)) return splitMeans(x);
  const { last } = splitShape(x, 2, "analyseMeans");
  if (last.some((extent) => extent % 2 !== 0))
    throw new UserError(
      "wavelet/shape",
      `analyseMeans needs even height and width; got shape [${x.shape.join(", ")}]. Pad or crop by a row or column.`,
    );
  const [low, details] = dwt2(x, bank, "periodization");
  return { low: scaled(low, 0.5), details: scaled(stackDetails(details), 0.5) };
}

/**
 * Inverts {@link analyseMeans} of an orthogonal wavelet.
 * @throws UserError `wavelet/shape` when the details are not three bands of the low-pass' shape; `unknown/wavelet`.
 */
export function synthesiseMeans<T extends Samples>(bands: MeanBands<T>, name: WaveletLike): Planes<T> {
  const bank = wavelet(name);
  if (isHaar(bank)) return joinMeans(bands);
  return scaled(idwt2([bands.low, splitDetails(bands.details)], bank, "periodization"), 2);
}

/** Pixels at either end of an axis within which bands of `levels` levels see the other end: 0 for Haar. */
export function wrappedPixels(name: WaveletLike, levels: number): number {
  return (wavelet(name).decLo.length / 2 - 1) * (2 ** levels - 1);
}

/** Scales in place. */
function scaled<T extends Samples>(x: Planes<T>, factor: number): Planes<T> {
  for (let i = 0; i < x.data.length; i++) x.data[i] = x.data[i]! * factor;
  return x;
}

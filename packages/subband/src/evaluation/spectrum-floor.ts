/**
 * @module How far apart the radial spectra of real images are among themselves, by chance alone: what an error against real
 * images is to be compared with.
 */
import { rng } from "onnxgrad";
import { radialSpectrumError } from "../spectrum/radial.ts";

/** Random divisions that the floor is the mean of. */
const DIVISIONS = 8;

/** Images of the two sets whose spectra are compared. */
export interface ComparedCounts {
  readonly generated: number;
  readonly real: number;
}

/**
 * The error to expect between so many generated and real images were the generated ones real, from the spectra of single
 * real images: the mean over random divisions into two disjoint sets of `real` images each, or of half of what there is,
 * brought to the sizes compared. It is a sampling error, whose square goes as 1 / generated + 1 / real. Undefined for a
 * single image.
 */
export function spectrumFloor(
  spectra: readonly Float64Array[],
  { generated, real }: ComparedCounts,
  seed: number,
): number | undefined {
  const size = Math.min(real, Math.floor(spectra.length / 2));
  if (size === 0) return undefined;
  let total = 0;
  for (let division = 0; division < DIVISIONS; division++) {
    const order = [...rng(seed, "spectrum-floor", division).permutation(spectra.length)];
    const [a, b] = [order.slice(0, size), order.slice(size, 2 * size)].map((set) =>
      meanSpectrum(set.map((i) => spectra[i]!)),
    );
    total += radialSpectrumError(a!, b!) / DIVISIONS;
  }
  return total * Math.sqrt((1 / generated + 1 / real) / (2 / size));
}

/** The mean of spectra of one length. */
export function meanSpectrum(spectra: readonly Float64Array[]): Float64Array {
  const mean = new Float64Array(spectra[0]!.length);
  for (const spectrum of spectra)
    for (let i = 0; i < mean.length; i++) mean[i]! += spectrum[i]! / spectra.length;
  return mean;
}

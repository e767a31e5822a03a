/**
 * @module The spectrum of a set of images as a function of radius alone, and the distance between two such spectra: the
 * project's measure of spectral bias.
 */
import { UserError } from "onnxgrad";
import { meanPowerSpectrum2 } from "./power-spectrum.ts";

/** Luma of ITU-R BT.601, the weights of most image libraries' grey conversion. */
const LUMA = [0.299, 0.587, 0.114] as const;

/** Below this power a bin counts as empty: far under 8-bit rounding noise (5e-6 for pixels in [-1, 1]). */
const EMPTY = 1e-12;

/**
 * Grey images [n, height, width] from flat ones [n, channels, height, width]: BT.601 luma of three channels, a copy of one.
 * @throws UserError `spectrum/channels` for any other number of channels.
 */
export function greyImages(
  pixels: ArrayLike<number>,
  channels: number,
  height: number,
  width: number,
): Float32Array {
  if (channels === 1) return Float32Array.from(pixels);
  if (channels !== 3)
    throw new UserError("spectrum/channels", `channels: ${channels}; expected 1 or 3. Drop the others.`);
  const area = height * width;
  const grey = new Float32Array(pixels.length / 3);
  for (let i = 0; i < grey.length; i++) {
    const at = 3 * area * Math.floor(i / area) + (i % area);
    grey[i] = LUMA[0] * pixels[at]! + LUMA[1] * pixels[at + area]! + LUMA[2] * pixels[at + 2 * area]!;
  }
  return grey;
}

/**
 * The mean of a power spectrum [height, width] over rings of integer radius 0, 1, ..., floor(N / 2), N the shorter side.
 * Ring r holds the frequencies that round to r cycles a length of N; the corners beyond the last ring are left out.
 */
export function radialMean(power: ArrayLike<number>, height: number, width: number): Float64Array {
  const side = Math.min(height, width);
  const bins = Math.floor(side / 2) + 1;
  const sum = new Float64Array(bins);
  const count = new Float64Array(bins);
  for (let y = 0; y < height; y++) {
    const fy = Math.min(y, height - y) / height;
    for (let x = 0; x < width; x++) {
      const fx = Math.min(x, width - x) / width;
      const ring = Math.round(side * Math.hypot(fy, fx));
      if (ring >= bins) continue;
      sum[ring] = sum[ring]! + power[y * width + x]!;
      count[ring] = count[ring]! + 1;
    }
  }
  return sum.map((total, ring) => total / count[ring]!);
}

/** The radial spectrum of flat grey images [n, height, width]: {@link radialMean} of their mean power. */
export function radialPowerSpectrum(grey: ArrayLike<number>, height: number, width: number): Float64Array {
  return radialMean(meanPowerSpectrum2(grey, height, width), height, width);
}

/**
 * `mean |log10 P_generated - log10 P_real|` over radii 1..N/2 of two radial spectra; 0 is perfect, and the mean grey
 * level (radius 0) is left out.
 * @throws UserError `spectrum/bins` when the spectra differ in length or have no radius above 0.
 */
export function radialSpectrumError(generated: ArrayLike<number>, real: ArrayLike<number>): number {
  const bins = generated.length;
  if (bins !== real.length || bins < 2) {
    throw new UserError(
      "spectrum/bins",
      `radial spectra: ${bins} and ${real.length} bins; expected the same number, 2 or more. Compare images of one size.`,
    );
  }
  const log = (power: number): number => Math.log10(Math.max(power, EMPTY));
  let sum = 0;
  for (let r = 1; r < bins; r++) sum += Math.abs(log(generated[r]!) - log(real[r]!));
  return sum / (bins - 1);
}

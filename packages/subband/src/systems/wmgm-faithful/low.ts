/**
 * @module The coarsest low band of the released WMGM: normalised by its range over the whole training set and kept in
 * 8-bit files, on which a pixel diffusion is trained as on any pictures; and the way back when sampling.
 */
import { add, cast, clamp, div, mul, sub, type Tensor } from "onnxgrad";
import { type Formulation, vpEpsilonFormulation } from "../../diffusion/preconditioning.ts";
import { ddpmSchedule, type DiscreteSchedule } from "../../diffusion/schedules/ddpm-discrete.ts";
import type { ScoreUnetConfig } from "../../nn/score-unet.ts";
import { haarAnalysis } from "../../wavelet/graph.ts";
import type { DiffusedBand } from "../parts/diffused-band.ts";
import { diffusionStage } from "../parts/diffusion-stage.ts";
import { scoreNetwork } from "../parts/unet.ts";
import type { Stage } from "../stage.ts";
import type { LowRange } from "./bands.ts";
import type { WmgmFaithfulConfig } from "./config.ts";

/** The released range of images, [0, 1], of pixels in [-1, 1]. */
export function toUnit(pixels: Tensor): Tensor {
  return div(add(pixels, 1), 2);
}

/** The low band of `level` orthonormal Haar analyses: [n, c, h, w] to [n, c, h / 2^level, w / 2^level]. */
export function orthonormalLow(image: Tensor, level: number): Tensor {
  let low = image;
  for (let i = 0; i < level; i++) low = haarAnalysis(low).low;
  return low;
}

/**
 * Measures the range of the low band of `levels` analyses over images [channels, height, width] in [-1, 1], read one at
 * a time through `read`, a piece each; in the units of images in [0, 1], where it lies in [0, 2^levels]. Mirroring does not change it.
 */
export function* measuringLowRange(
  {
    count,
    channels,
    height,
    width,
    levels,
  }: { count: number; channels: number; height: number; width: number; levels: number },
  read: (index: number) => Float32Array,
): Generator<void, LowRange> {
  const unit = 2 ** levels;
  const columns = width / unit;
  const sums = new Float64Array((channels * height * columns) / unit);
  let [least, greatest] = [Infinity, -Infinity];
  for (let index = 0; index < count; index++) {
    const pixels = read(index);
    sums.fill(0);
    for (let at = 0; at < pixels.length; at++) {
      const row = Math.floor(at / width);
      // Whole blocks of rows follow each other over the channels: heights are multiples of the unit.
      sums[Math.floor(row / unit) * columns + Math.floor((at - row * width) / unit)]! += pixels[at]!;
    }
    for (const sum of sums) {
      if (sum < least) least = sum;
      if (sum > greatest) greatest = sum;
    }
    yield;
  }
  // Mean m of a block in [-1, 1]: the low band of the block in [0, 1] is 2^levels (m + 1) / 2.
  const low = (sum: number) => (unit * (sum / unit ** 2 + 1)) / 2;
  return { least: low(least), greatest: Math.max(low(greatest), low(least) + 1e-4) };
}

/** Truncates values >= 0. */
const wholePart = (x: Tensor): Tensor => cast(cast(x, "int64"), "float32");

/**
 * The low band as the diffusion sees it, in [-1, 1]: [n, c, h, w] of images in [0, 1] mapped from its range, and
 * rounded to the nearest of 256 values with the defect `eightBitLow`. The rounding has no gradient.
 */
export function normalizeLow(low: Tensor, { range, defects }: WmgmFaithfulConfig): Tensor {
  const { least, greatest } = range;
  const share = div(sub(low, least), greatest - least);
  const stored = defects.eightBitLow ? div(wholePart(clamp(add(mul(share, 255), 0.5), 0, 255)), 255) : share;
  return sub(mul(stored, 2), 1);
}

/**
 * From the diffusion's [-1, 1] back to the low band of images in [0, 1]. With the defect `eightBitLow` the value is cut
 * to 8 bits, as improved-diffusion's sampling script does, and multiplied by 2^levels whatever the range was; else the
 * measured range is undone.
 */
export function restoreLow(sample: Tensor, { levels, range, defects }: WmgmFaithfulConfig): Tensor {
  const share = div(add(clamp(sample, -1, 1), 1), 2);
  if (defects.eightBitLow) return mul(wholePart(mul(share, 255)), 2 ** levels / 255);
  return add(mul(share, range.greatest - range.least), range.least);
}

/** Size of the network of the low band. */
export function lowNetwork({ channels, low }: WmgmFaithfulConfig): ScoreUnetConfig {
  const { width, multipliers, blocks, attention } = low;
  return { channels, width, multipliers, blocks, attention };
}

/** The noise schedule of training and sampling: linear betas over integer timesteps, respaced for few steps. */
export function lowSchedule({ low: { betaMin, betaMax, timesteps } }: WmgmFaithfulConfig): DiscreteSchedule {
  return ddpmSchedule({ betaMin, betaMax, timesteps });
}

/**
 * Noise prediction on the variance-preserving state. The network is told t / T in [0, 1], where improved-diffusion tells
 * the timestep: our features are sinusoids of up to 64 radians per unit.
 */
export function lowFormulation(config: WmgmFaithfulConfig): Formulation {
  return vpEpsilonFormulation({ schedule: lowSchedule(config), timeScale: 1, timeMin: 0 });
}

/** The low band as a diffusion knows it: pixels of 8-bit pictures. */
export function lowBand(config: WmgmFaithfulConfig): DiffusedBand {
  const { channels, height, width, levels } = config;
  return {
    name: "denoiser",
    stage: "low",
    extents: [channels, height / 2 ** levels, width / 2 ** levels],
    network: scoreNetwork(lowNetwork(config)),
    formulation: lowFormulation(config),
    schedule: lowSchedule(config),
    clip: true,
    prepare: (pixels) => ({ clean: normalizeLow(orthonormalLow(toUnit(pixels), levels), config) }),
  };
}

/** The {@link Stage} `low`: a pixel diffusion whose pixels are the normalised low band. */
export function faithfulLowStage(config: WmgmFaithfulConfig): Stage {
  const { channels, height, width, low, lowShare } = config;
  return diffusionStage(lowBand(config), { ...low, image: { channels, height, width }, share: lowShare });
}

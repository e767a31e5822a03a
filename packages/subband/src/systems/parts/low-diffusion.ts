/**
 * @module Diffusion of the coarsest low band, as WMGM and the local models have it: an EDM-preconditioned score U-Net on
 * the band, standardised. Its configuration, its formulation and its noise levels.
 */
import { edmFormulation, type Formulation } from "../../diffusion/preconditioning.ts";
import type { Schedule } from "../../diffusion/schedules/schedule.ts";
import type { ScoreUnetConfig } from "../../nn/score-unet.ts";
import { LEAST_SIDE, levelsFor, sideOf } from "./processes.ts";

/** Diffusion of a low band: its network and its training. */
export interface LowDiffusionConfig {
  /** Feature channels at the finest resolution of the low band. */
  readonly width: number;
  /** Multiples of `width`, one a resolution. */
  readonly multipliers: readonly number[];
  /** Residual blocks a resolution and direction. */
  readonly blocks: number;
  /** Resolutions (indices of `multipliers`) with self-attention after every block. */
  readonly attention: readonly number[];
  /** Images a step. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the parameter average a step. */
  readonly emaDecay: number;
  /** Mean and standard deviation of ln sigma in training; the band has unit variance. */
  readonly logMean: number;
  readonly logStd: number;
}

/** What a {@link LowDiffusionConfig} is made from. */
export interface LowDiffusionShape {
  /** Extents of the low band. */
  readonly height: number;
  readonly width: number;
  /** Feature channels at its finest resolution; default 64. */
  readonly baseWidth?: number | undefined;
  readonly batch?: number | undefined;
  readonly lr?: number | undefined;
}

/** Fills in all defaults. */
export function resolveLowDiffusion({
  height,
  width,
  baseWidth = 64,
  batch = 64,
  lr = 1e-3,
}: LowDiffusionShape): LowDiffusionConfig {
  return {
    width: baseWidth,
    multipliers: scoreMultipliers(height, width),
    blocks: 1,
    attention: [],
    batch,
    lr,
    emaDecay: 0.999,
    logMean: -0.6,
    logStd: 1.3,
  };
}

/** Multiples of the width down to 4 pixels (8 for large bands), while the extents stay even. */
export function scoreMultipliers(height: number, width: number): readonly number[] {
  const side = Math.min(height, width);
  const wanted = side >= 32 ? [1, 1, 2, 2] : side >= 16 ? [1, 2, 2] : [1, 2];
  return wanted.slice(0, resolutions(height, width, wanted.length));
}

/** How many resolutions a U-Net on a band can have, at most `wanted`: each halving needs even extents of 4 or more. */
export function resolutions(height: number, width: number, wanted: number): number {
  let count = 1;
  let [h, w] = [height, width];
  while (count < wanted && h % 2 === 0 && w % 2 === 0 && Math.min(h, w) >= 4) {
    [h, w] = [h / 2, w / 2];
    count++;
  }
  return count;
}

/** The network of a configuration. */
export function lowNetwork(
  channels: number,
  { width, multipliers, blocks, attention }: LowDiffusionConfig,
): ScoreUnetConfig {
  return { channels, width, multipliers, blocks, attention };
}

/** The formulation that the low band is trained and sampled with. */
export function lowFormulation({ logMean, logStd }: LowDiffusionConfig): Formulation {
  return edmFormulation({ sigmaData: 1, logMean, logStd });
}

/** Noise levels that sampling walks down, of a standardised band of these extents. */
export function lowSchedule(extents: readonly number[]): Schedule {
  return levelsFor(1, sideOf(extents));
}

/**
 * Steps of DPM-Solver++(2M) down these levels that keep the deviation of the mean within 4 % (exact denoiser, CIFAR-10 and
 * faces): 8 for bands of 8 x 8, and 2 more where the side is twice as long and the way down twice as far.
 */
export function lowSteps(extents: readonly number[]): number {
  return 8 + Math.round(2 * Math.log2(Math.max(1, sideOf(extents) / LEAST_SIDE)));
}

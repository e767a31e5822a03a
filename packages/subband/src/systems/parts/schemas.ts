/** @module What the models of several presets contain, field by field. */
import * as z from "zod";
import type { LowDiffusionConfig } from "./low-diffusion.ts";
import { type ProcessName, PROCESSES } from "./processes.ts";
import type { UnetConfig } from "./unet.ts";
import type { Moments as BandMoments } from "./standardised-bands.ts";
import { isOrthogonal } from "../../wavelet/wavelets.ts";

/** A number of things. */
export const Count: z.ZodType<number> = z.int().positive();
/** A number above 0. */
export const Positive: z.ZodType<number> = z.number().positive();
/** A number from 0 to 1. */
export const Fraction: z.ZodType<number> = z.number().min(0).max(1);
/** A number of wavelet levels. */
export const Levels: z.ZodType<number> = z.int().min(0).max(8);

/** The shape of the images. */
export const Image: {
  readonly channels: z.ZodType<1 | 3>;
  readonly height: z.ZodType<number>;
  readonly width: z.ZodType<number>;
} = {
  channels: z.union([z.literal(1), z.literal(3)]),
  height: Count,
  width: Count,
};

/** Diffusion of the coarsest low band. */
export const LowDiffusion: z.ZodType<LowDiffusionConfig> = z.strictObject({
  width: Count,
  multipliers: z.array(Count).min(1),
  blocks: Count,
  attention: z.array(z.int().nonnegative()),
  batch: Count,
  lr: Positive,
  emaDecay: Fraction,
  logMean: z.number(),
  logStd: Positive,
});

/** Name of a diffusion process. */
export const Process: z.ZodType<ProcessName> = z.enum(PROCESSES);

/** Size of the U-Net of a diffusion. */
export const Unet: z.ZodType<UnetConfig> = z.strictObject({
  unet: z.enum(["score", "improved"]),
  channels: Count,
  conditioning: z.int().nonnegative(),
  width: z.int().positive().multipleOf(8),
  multipliers: z.array(Count).min(1),
  blocks: Count,
  attention: z.array(z.int().nonnegative()),
});

/** Mean and deviation of a band, one a channel. */
export const Moments: z.ZodType<BandMoments> = z.strictObject({
  mean: z.array(z.number()).min(1),
  std: z.array(Positive).min(1),
});

/** Runs begun before there was a choice are of Haar. */
export const Wavelet: z.ZodType<string> = z
  .string()
  .refine(isOrthogonal, "not an orthogonal wavelet that is known here: update subband")
  .default("haar");

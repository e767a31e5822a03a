/** @module A band that is drawn by diffusion. The stage that trains it and the step that draws it both know it by this. */
import type { Tensor } from "onnxgrad";
import type { Formulation } from "../../diffusion/preconditioning.ts";
import type { SamplerSettings } from "../../diffusion/samplers/samplers.ts";
import type { Schedule } from "../../diffusion/schedules/schedule.ts";
import type { Extents } from "../draw.ts";
import type { DenoisingNetwork, UnetParams } from "./unet.ts";

/** A band that is drawn by diffusion, perhaps from another, lower one. */
export interface DiffusedBand {
  /** Name of its network, for people. */
  readonly name: string;
  /** Name of the stage that trains it, under which its arrays lie. */
  readonly stage: string;
  /** Names its noise in training, where a system has several such bands; without, the noise is that of the only one. */
  readonly stream?: string;
  /** [channels, height, width]. */
  readonly extents: Extents;
  readonly network: DenoisingNetwork<UnetParams>;
  readonly formulation: Formulation;
  /** Levels of noise that sampling walks down. */
  readonly schedule: Schedule;
  /** Settings of samplers; default their own. */
  readonly sampling?: SamplerSettings | undefined;
  /** Predictions are clipped to [-1, 1], as improved-diffusion does by default (`clip_denoised`); default false. */
  readonly clip?: boolean;
  /** From pixels [n, c, height, width] in [-1, 1] to what is diffused, [n, ...extents], and what it is drawn from. */
  prepare(pixels: Tensor): { readonly clean: Tensor; readonly low?: Tensor };
  /** From what it is drawn from to what the network is given; absent where it is drawn from nothing. */
  condition?(low: Tensor): Tensor;
}

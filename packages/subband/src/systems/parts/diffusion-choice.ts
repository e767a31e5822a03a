/** @module What can be chosen of a system that is diffusion throughout, and what is chosen otherwise. */
import type { Asked, Chosen, Option, Options } from "../options.ts";
import { BATCH, FORMULATION, LR, UNET, WIDTH } from "./options.ts";
import type { ProcessName } from "./processes.ts";
import type { UnetName } from "./unet.ts";

/** What they are. */
export interface DiffusionOptions extends Options {
  readonly formulation: Option<ProcessName>;
  readonly unet: Option<UnetName>;
  readonly batch: Option<number>;
  readonly lr: Option<number>;
  readonly width: Option<number>;
}

/** Options of training that such systems have in common. */
export const DIFFUSION_OPTIONS: DiffusionOptions = {
  formulation: FORMULATION,
  unet: UNET,
  batch: BATCH,
  lr: LR,
  width: WIDTH,
};

/**
 * Fills in what was not asked for; `narrow` is the width of our network. All is small unless the release is asked for, by
 * its diffusion (`ou`) or its network (`improved`).
 */
export function chooseDiffusion(asked: Asked<DiffusionOptions>, narrow: number): Chosen<DiffusionOptions> {
  const { formulation = "edm", batch = 64 } = asked;
  const { unet = formulation === "ou" ? "improved" : "score" } = asked;
  const { width = unet === "improved" ? 128 : narrow, lr = unet === "improved" ? 1e-4 : 1e-3 } = asked;
  return { formulation, unet, batch, lr, width };
}

/** Decay of the average of the parameters a step: of small networks, which few steps train, and as released. */
export function emaDecayOf(unet: UnetName): number {
  return unet === "improved" ? 0.9999 : 0.999;
}

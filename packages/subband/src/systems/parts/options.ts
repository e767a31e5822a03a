/** @module Options that several presets have. */
import { samplers } from "../../diffusion/samplers/samplers.ts";
import { alternatives, named, oneOf, type Option, positive, whole } from "../options.ts";
import { orthogonalWavelet } from "../../wavelet/wavelets.ts";
import { type ProcessName, PROCESSES } from "./processes.ts";
import type { UnetName } from "./unet.ts";

/** Wavelet analyses. */
export const LEVELS: Option<number> = whole("--levels <n>", "wavelet levels", { least: 0, most: 8 });

/** Images a step. */
export const BATCH: Option<number> = whole("--batch <n>", "images a step", { least: 2 });

/** Peak learning rate. */
export const LR: Option<number> = positive(
  "--lr <rate>",
  "peak learning rate",
  "a number above 0, such as 1e-3",
);

/** Feature channels of the networks. */
export const WIDTH: Option<number> = whole(
  "--width <n>",
  "feature channels of the networks at full resolution",
  { least: 8, multipleOf: 8 },
);

/** An orthogonal wavelet. */
export const WAVELET: Option<string> = named(
  "--wavelet <name>",
  "an orthogonal wavelet: haar, dbN, symN or coifN",
  "the name of an orthogonal wavelet",
  orthogonalWavelet,
);

/** How noise becomes an image, or a band; which samplers there are is up to the preset, so any name is taken here. */
const SAMPLER: Option<string> = named(
  "--sampler <name>",
  `${alternatives(Object.keys(samplers))}; of local models also ascent (default: the preset's)`,
  "the name of a sampler",
  (name) => name,
);

/** Network calls grow with it; nobody waits for more. */
const STEPS: Option<number> = whole("--steps <k>", "steps of the sampler (default: the preset's)", {
  least: 1,
  most: 10_000,
});

/** Options of drawing that every preset has. */
export const SAMPLING: { readonly sampler: Option<string>; readonly steps: Option<number> } = {
  sampler: SAMPLER,
  steps: STEPS,
};

/** What is learned of which levels of noise. */
export const FORMULATION: Option<ProcessName> = oneOf(
  "--formulation <name>",
  "diffusion: edm, vp, ve, flow, or ou (Ornstein-Uhlenbeck, as WSGM is released)",
  PROCESSES,
);

/** The network of a diffusion. */
export const UNET: Option<UnetName> = oneOf(
  "--unet <name>",
  "network of the diffusion: score (ours, small) or improved (improved-diffusion's)",
  ["score", "improved"],
);

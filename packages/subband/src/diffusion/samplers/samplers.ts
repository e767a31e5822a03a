/** @module The samplers by name: their order, exact cost and plan. The table a command line or a graph exporter reads. */
import { unknownName } from "onnxgrad";
import type { Denoiser, State } from "../denoiser.ts";
import { requireSteps } from "../schedules/schedule.ts";
import { type DdimSettings, planDdim } from "./ddim.ts";
import { type DdpmSamplerSettings, planDdpm } from "./ddpm.ts";
import { planDpmpp2m } from "./dpmpp2m.ts";
import { type EdmStochasticSettings, planEdmStochastic } from "./edm-stochastic.ts";
import { planEuler } from "./euler.ts";
import { planHeun } from "./heun.ts";
import { atLevel, runPlan, type SampleOptions, type SamplingPlan } from "./plan.ts";
import { planReverseSde, type ReverseSdeSettings } from "./reverse-sde.ts";

/** Name of a sampler. */
export type SamplerName = "ddpm" | "ddim" | "euler" | "heun" | "edm" | "dpmpp2m" | "reverse-sde";

/** The settings of every sampler together; each reads its own. */
export type SamplerSettings = DdimSettings & DdpmSamplerSettings & EdmStochasticSettings & ReverseSdeSettings;

/** What is known of a sampler before it runs. */
export interface Sampler {
  readonly name: SamplerName;
  readonly summary: string;
  /** Order of convergence as the steps are refined: of the path, or weak (of the distribution) where stochastic. */
  readonly order: 1 | 2;
  /** Whether it draws noise with its default settings. */
  readonly stochastic: boolean;
  /** Network calls of `steps` steps down a schedule that ends in 0. */
  nfe(steps: number): number;
  /** The calls and their linear updates. */
  plan(sigmas: readonly number[], settings?: SamplerSettings): SamplingPlan;
}

const once = (steps: number): number => steps;
const twiceButLast = (steps: number): number => 2 * steps - 1;

/** Every sampler. */
export const samplers: Readonly<Record<SamplerName, Sampler>> = {
  ddpm: { name: "ddpm", summary: "DDPM ancestral", order: 1, stochastic: true, nfe: once, plan: planDdpm },
  ddim: {
    name: "ddim",
    summary: "DDIM, noise by eta",
    order: 1,
    stochastic: false,
    nfe: once,
    plan: planDdim,
  },
  euler: {
    name: "euler",
    summary: "Euler on the ODE",
    order: 1,
    stochastic: false,
    nfe: once,
    plan: planEuler,
  },
  heun: {
    name: "heun",
    summary: "Heun on the ODE",
    order: 2,
    stochastic: false,
    nfe: twiceButLast,
    plan: planHeun,
  },
  edm: {
    name: "edm",
    summary: "EDM stochastic Heun",
    order: 2,
    stochastic: true,
    nfe: twiceButLast,
    plan: planEdmStochastic,
  },
  dpmpp2m: {
    name: "dpmpp2m",
    summary: "DPM-Solver++(2M)",
    order: 2,
    stochastic: false,
    nfe: once,
    plan: planDpmpp2m,
  },
  "reverse-sde": {
    name: "reverse-sde",
    summary: "Euler-Maruyama on the reverse SDE",
    order: 1,
    stochastic: true,
    nfe: once,
    plan: planReverseSde,
  },
};

/**
 * The sampler called `name`.
 * @throws UserError `unknown/sampler` with a suggestion.
 */
export function samplerNamed(name: string): Sampler {
  if (!Object.hasOwn(samplers, name)) throw unknownName("sampler", name, Object.keys(samplers));
  return samplers[name as SamplerName];
}

/** The exact cost of a sampling run. */
export interface SamplerCost {
  readonly name: SamplerName;
  readonly steps: number;
  /** Network calls. */
  readonly nfe: number;
  readonly order: number;
  readonly stochastic: boolean;
}

/**
 * What `steps` steps of a sampler cost, down any schedule that ends in 0.
 * @throws UserError `unknown/sampler`, `diffusion/steps`.
 */
export function samplerCost(name: string, steps: number): SamplerCost {
  const sampler = samplerNamed(name);
  requireSteps(steps);
  return {
    name: sampler.name,
    steps,
    nfe: sampler.nfe(steps),
    order: sampler.order,
    stochastic: sampler.stochastic,
  };
}

/**
 * The network calls of a sampler down `sigmas` and the linear update after each: what {@link sample} carries out and
 * what a graph unrolls.
 * @throws UserError `unknown/sampler`, `diffusion/sigmas`.
 */
export function linearPlan(
  name: string,
  sigmas: readonly number[],
  settings: SamplerSettings = {},
): SamplingPlan {
  return samplerNamed(name).plan(sigmas, settings);
}

/**
 * Samples with the sampler called `name` from `x`, distributed as at `sigmas[0]`.
 *
 * @example
 * const sigmas = edmSchedule().sigmas(8);
 * const images = { seed: 1, count: 4 };
 * const x = startNoise(images, sigmas[0], new Float32Array(4 * 3 * 8 * 8));
 * const pixels = await sample("dpmpp2m", denoise, x, sigmas);
 */
export async function sample<T extends State>(
  name: string,
  denoise: Denoiser<T>,
  x: T,
  sigmas: readonly number[],
  options: SampleOptions<T> & SamplerSettings = {},
): Promise<T> {
  return runPlan(linearPlan(name, sigmas, options), atLevel(denoise), x, options);
}

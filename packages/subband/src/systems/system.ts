/**
 * @module What every system offers: stages to train, and what is made from what they learned: of a generative system a
 * sampler, of a denoising one a local model.
 */
import type { Backend, NamedArray, Tensor } from "onnxgrad";
import type { NoiseSource } from "../diffusion/noise.ts";
import type { Draw } from "./draw.ts";
import type { Schedule } from "../diffusion/schedules/schedule.ts";
import type { LocalModel } from "./parts/local/model.ts";
import type { LowPassPrior } from "./parts/local/low-pass-prior.ts";
import type { Stage } from "./stage.ts";

/** Extents of images or bands. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** A network of a system: its size, and what an image asks of it. */
export interface NetworkUse {
  readonly name: string;
  readonly parameters: number;
  /** When sampling runs it: at every network call of the sampler, once an image, or never. */
  readonly runs: "each-step" | "once" | "in-training";
  /** Its traced graph for one image: the output of each run, e.g. one a level. Empty when only training runs it. */
  readonly outputs: readonly Tensor[];
}

/** A system that can be trained, resolved from its configuration. */
export interface TrainedSystem {
  readonly image: ImageShape;
  readonly stages: readonly Stage[];
  /** Traces the networks, to count what they cost. */
  networks(): readonly NetworkUse[];
}

/** A system that learns to denoise images of noise of any level. */
export interface DenoisingSystem extends TrainedSystem {
  /** Wavelet levels that its model takes images apart by; 0: none. */
  readonly levels: number;
  /** The strongest noise that the networks of details learned, the finest level first, in units of their coefficients. */
  readonly detailNoise?: readonly number[];
  /**
   * The model in the arrays of a checkpoint; it shares them.
   * @throws UserError when they are not those of such a model.
   */
  model(checkpoint: ReadonlyMap<string, NamedArray>): LocalModel;
  /** What {@link DenoisingSystem.model} reads, from a model: arrays of a checkpoint, to begin a training with. */
  checkpoint(model: LocalModel): ReadonlyMap<string, NamedArray>;
  /**
   * What draws the coarsest low-pass band, where that was trained.
   * @throws UserError `state/mismatch` when the arrays do not belong to it.
   */
  prior?(checkpoint: ReadonlyMap<string, NamedArray>): LowPassPrior;
}

/** Tells the two kinds of systems apart. */
export function isDenoising(system: TrainedSystem): system is DenoisingSystem {
  return "model" in system;
}

/** A generative system, resolved from its configuration. */
export interface System extends TrainedSystem {
  readonly draw: Draw;
  /** Extents of the band that diffusion runs on. */
  readonly low: ImageShape;
  /** Haar levels between the two. */
  readonly levels: number;
  /** Noise levels that sampling walks down. */
  readonly schedule: Schedule;
  /**
   * Compiles the trained networks for one batch size, from the arrays of a checkpoint.
   * @throws UserError `state/mismatch` when the arrays do not belong to the system.
   */
  createSampler(
    backend: Backend,
    checkpoint: ReadonlyMap<string, NamedArray>,
    batch: number,
  ): Promise<CompiledSampler>;
  /**
   * The same networks as graph functions, their parameters constants, for samplers that are traced whole.
   * @throws UserError `state/mismatch` as `createSampler`.
   */
  traceSampler(checkpoint: ReadonlyMap<string, NamedArray>): TracedSampler;
}

/** The trained networks of a system as functions of tensors of any batch. */
export interface TracedSampler {
  /** D(x; sigma) on the standardised low band [n, channels, h, w], at one level of noise. */
  denoise(x: Tensor, sigma: number): Tensor;
  /** Standardised low band to images [n, channels, height, width]; `noise(level)` is N(0, 1), [n, ...shape]. */
  decode(low: Tensor, noise: (level: number) => Tensor): Tensor;
  /** The noise that `decode` asks for, in its order: one network call each. */
  readonly detailNoise: readonly { readonly level: number; readonly shape: readonly number[] }[];
}

/** The trained networks of a system, for one batch size. */
export interface SamplerNetworks {
  /** D(x; sigma) on the standardised low band [batch, channels, h, w]. */
  denoise(x: Float32Array, sigma: number): Promise<Float32Array>;
  /** Standardised low band to images [batch, channels, height, width]; `noise(level, out)` fills N(0, 1). */
  decode(low: Float32Array, noise: NoiseSource<Float32Array>): Promise<Float32Array>;
}

/**
 * The trained networks of a system, compiled for one batch size. Calls that overlap take turns, in their order; arguments
 * count as they are at the call, and results are the caller's own.
 */
export interface CompiledSampler extends SamplerNetworks {
  readonly batch: number;
  /** Network calls that `decode` makes. */
  readonly detailCalls: number;
  /**
   * Runs `task` while no other call does, with networks that copy nothing: what they are given must stay as it is until
   * they answer, and what they return lasts until the next call. `task` must not wait for other calls of the sampler.
   * Absent from a sampler whose networks share no memory.
   */
  alone?<T>(task: (networks: SamplerNetworks) => Promise<T>): Promise<T>;
  /** Frees the networks once all calls before have ended; a call after it throws UserError `run/disposed`. */
  dispose(): Promise<void>;
}

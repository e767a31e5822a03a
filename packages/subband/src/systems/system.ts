/** @module What every generative system offers: stages to train, and a sampler made from what they learned. */
import type { Backend, NamedArray, Tensor } from "onnxgrad";
import type { NoiseSource } from "../diffusion/noise.ts";
import type { Schedule } from "../diffusion/schedules/schedule.ts";
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

/** A generative system, resolved from its configuration. */
export interface System {
  readonly image: ImageShape;
  /** Extents of the band that diffusion runs on. */
  readonly low: ImageShape;
  /** Haar levels between the two. */
  readonly levels: number;
  readonly stages: readonly Stage[];
  /** Noise levels that sampling walks down. */
  readonly schedule: Schedule;
  /** Traces the networks, to count what they cost. */
  networks(): readonly NetworkUse[];
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

/** The trained networks of a system, compiled for one batch size. */
export interface CompiledSampler {
  readonly batch: number;
  /** D(x; sigma) on the standardised low band [batch, channels, h, w]; the result is reused by the next call. */
  denoise(x: Float32Array, sigma: number): Promise<Float32Array>;
  /** Standardised low band to images [batch, channels, height, width]; `noise(level, out)` fills N(0, 1). */
  decode(low: Float32Array, noise: NoiseSource<Float32Array>): Promise<Float32Array>;
  /** Network calls that `decode` makes. */
  readonly detailCalls: number;
  dispose(): Promise<void>;
}

/**
 * @module What every system offers: stages to train, and what is made from what they learned: of a generative system a
 * sampler, of a denoising one a local model.
 */
import type { NamedArray, Tensor } from "onnxgrad";
import type { Draw } from "./draw.ts";
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

/** The wavelet pyramid that a system takes images apart by; by Haar, in the range of the image at every level. */
export interface Pyramid {
  readonly levels: number;
  /** Root mean square of the details of the training images: of each level, the finest first, by band and channel. */
  readonly detailRms?: readonly (readonly number[])[];
}

/** A generative system, resolved from its configuration. */
export interface System extends TrainedSystem {
  readonly pyramid: Pyramid;
  readonly draw: Draw;
}

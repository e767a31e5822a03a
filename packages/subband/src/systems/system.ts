/** @module What a system offers: stages to train, and the abilities of what was trained, one field each. */
import type { Arrays, Draw } from "./draw.ts";
import type { LocalModel } from "./parts/local/model.ts";
import type { EdmLowConfig } from "./parts/local/low-pass-prior.ts";
import type { Stage } from "./stage.ts";

/** Extents of images or bands. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** The ability to denoise, and to restore by that: a local model in what was trained. */
export interface LocalCodec {
  /** The diffusion of the coarsest low-pass band, where one was trained. */
  readonly prior?: EdmLowConfig | undefined;
  /** The strongest noise that the networks of details learned, the finest level first, in units of their coefficients. */
  readonly detailNoise?: readonly number[];
  /**
   * The model in the arrays of a checkpoint; it shares them.
   * @throws UserError when they are not those of such a model.
   */
  model(arrays: Arrays): LocalModel;
  /** What {@link LocalCodec.model} reads, from a model: arrays of a checkpoint, to begin a training with. */
  arrays(model: LocalModel): Arrays;
}

/** The wavelet pyramid that a system takes images apart by; by Haar, in the range of the image at every level. */
export interface Pyramid {
  readonly levels: number;
  /** Root mean square of the details of the training images: of each level, the finest first, by band and channel. */
  readonly detailRms?: readonly (readonly number[])[];
  /** What the chain of drawing passes on for a low band v of `level`, 1 or more: offset + scale v. Default v. */
  readonly passes?: (level: number) => { readonly offset: number; readonly scale: number };
}

/** A system that can be trained, resolved from its configuration; what can be done with it is what it has. */
export interface System {
  readonly image: ImageShape;
  readonly stages: readonly Stage[];
  readonly draw: Draw;
  /** Of systems that make images band by band. */
  readonly pyramid?: Pyramid;
  /** Of denoisers. */
  readonly local?: LocalCodec;
}

/**
 * @module Configuration of our local denoiser, one U-Net over the wavelet bands of all levels. Plain data,
 * resolved from the size of the images; a run directory keeps it whole.
 */
import { orthogonalWavelet } from "../../wavelet/wavelets.ts";

/** Resolved configuration of a wavelet U-Net denoiser. */
export interface LocalUnetConfig {
  readonly channels: 1 | 3;
  /** Pixels of the training images; multiples of 2^levels. */
  readonly height: number;
  readonly width: number;
  /** Wavelet analyses, each with a level of the network. */
  readonly levels: number;
  /** Name of the orthogonal wavelet. */
  readonly wavelet: string;
  /** Feature channels of each level, the finest first. */
  readonly widths: readonly number[];
  /** Residual blocks of each level, on the way down and on the way up. */
  readonly encoder: readonly number[];
  readonly decoder: readonly number[];
  /** Images a step. */
  readonly batch: number;
  /** Peak learning rate. */
  readonly lr: number;
  /** Decay of the parameter average a step. */
  readonly emaDecay: number;
  /** Deviations of the noise, for images in [0, 1]: as many in each octave of this range. */
  readonly sigmaMin: number;
  readonly sigmaMax: number;
}

/** What a configuration is made from; everything else has a default. */
export interface LocalUnetShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
  readonly levels?: number | undefined;
  readonly wavelet?: string | undefined;
  /** Feature channels of the finest level. */
  readonly baseWidth?: number | undefined;
  readonly batch?: number | undefined;
  readonly lr?: number | undefined;
}

/** Of each level, the finest first; further levels are like the last. */
const WIDTHS = [1, 1.5, 2, 2.5];
const ENCODER = [1, 1, 2, 2];
const DECODER = [1, 2, 2, 2];

/** What is chosen where nothing is asked for. */
export const LOCAL_UNET_DEFAULTS = { levels: 4, batch: 8, lr: 1e-3, width: 32, wavelet: "haar" } as const;

/** Fills in all defaults. @throws UserError `unknown/wavelet`, `wavelet/biorthogonal`. */
export function resolveLocalUnetConfig(shape: LocalUnetShape): LocalUnetConfig {
  const {
    channels,
    height,
    width,
    levels = LOCAL_UNET_DEFAULTS.levels,
    baseWidth = LOCAL_UNET_DEFAULTS.width,
  } = shape;
  const each = (values: readonly number[]) =>
    Array.from({ length: levels }, (_, j) => values[Math.min(j, values.length - 1)]!);
  return {
    channels,
    height,
    width,
    levels,
    wavelet: orthogonalWavelet(shape.wavelet ?? LOCAL_UNET_DEFAULTS.wavelet),
    widths: each(WIDTHS).map((factor) => Math.round(factor * baseWidth)),
    encoder: each(ENCODER),
    // What the coarsest level finds need not be brought up to it.
    decoder: each(DECODER).map((blocks, j) => (j === levels - 1 ? 0 : blocks)),
    batch: shape.batch ?? LOCAL_UNET_DEFAULTS.batch,
    lr: shape.lr ?? LOCAL_UNET_DEFAULTS.lr,
    emaDecay: 0.999,
    sigmaMin: 1 / 255,
    sigmaMax: 1,
  };
}

/**
 * @module The network of a diffusion: one of two U-Nets, with or without a known band beside what it denoises, as large as
 * the band asks for. Whoever trains or draws with it knows no more of it than {@link DenoisingNetwork}.
 */
import { mul, type Rng, type Tensor } from "onnxgrad";
import { iddpmUnet, type IddpmUnetConfig, type IddpmUnetParams, initIddpmUnet } from "../../nn/iddpm-unet.ts";
import type { Params } from "../../nn/layers.ts";
import { initScoreUnet, scoreUnet, type ScoreUnetConfig, type ScoreUnetParams } from "../../nn/score-unet.ts";
import { resolutions, scoreMultipliers } from "./low-diffusion.ts";

/** What a network is told besides what it denoises. */
export interface Told {
  /** Of the level of noise: [n] or [1], a scalar that moves by about 1. */
  readonly noise: Tensor;
  /** What is known, [n, conditioning, h, w]; left out where the network takes none. */
  readonly given?: Tensor | undefined;
}

/** A raw network F: [n, channels, h, w] to the same shape. */
export interface DenoisingNetwork<P> {
  /** Draws the parameters; the stream `SHAPES` gives shapes alone. */
  init(random: Rng): P;
  run(params: Params<P>, x: Tensor, told: Told): Tensor;
}

/** Which U-Net: ours, small, or improved-diffusion's, of which SGM and WSGM were published. */
export type UnetName = "score" | "improved";

/** Size of a U-Net. */
export interface UnetConfig {
  readonly unet: UnetName;
  /** Channels of what is denoised. */
  readonly channels: number;
  /** Channels of what is known; 0: none. */
  readonly conditioning: number;
  /** Feature channels at the finest resolution. */
  readonly width: number;
  /** Multiples of `width`, one a resolution. */
  readonly multipliers: readonly number[];
  /** Residual blocks a resolution and direction. */
  readonly blocks: number;
  /** Resolutions (indices of `multipliers`) with self-attention after every block. */
  readonly attention: readonly number[];
}

/** Parameters of either. */
export type UnetParams = ScoreUnetParams | IddpmUnetParams;

/** The U-Net of a configuration. */
export function unet(config: UnetConfig): DenoisingNetwork<UnetParams> {
  return config.unet === "score" ? scoreNetwork(config) : improvedNetwork(config);
}

/** Our U-Net, which tells levels of noise apart by sinusoids of up to 64 radians a unit. */
export function scoreNetwork(config: ScoreUnetConfig): DenoisingNetwork<ScoreUnetParams> {
  return {
    init: (random) => initScoreUnet(random, config),
    run: (params, x, { noise, given }) => scoreUnet(params, x, noise, given),
  };
}

/** What improved-diffusion's is released with for SGM and WSGM. */
const RELEASED = { heads: 4, scaleShiftNorm: true } as const;
/** Improved-diffusion's is told timesteps, of which there are a thousand. */
const TIMESTEPS = 1000;

function improvedNetwork(config: Omit<UnetConfig, "unet">): DenoisingNetwork<IddpmUnetParams> {
  const size: IddpmUnetConfig = { ...config, ...RELEASED };
  return {
    init: (random) => initIddpmUnet(random, size),
    run: (params, x, { noise, given }) =>
      iddpmUnet(params, { x, time: mul(noise, TIMESTEPS), ...(given && { conditioning: given }) }, size),
  };
}

/** What a {@link UnetConfig} is made from. */
export interface UnetShape extends Pick<UnetConfig, "unet" | "channels" | "conditioning"> {
  /** Feature channels at the finest resolution. */
  readonly features: number;
  /** Extents of the band. */
  readonly height: number;
  readonly width: number;
}

/**
 * Fills in the rest by the extents of the band: for improved-diffusion's as SGM (128 x 128), WSGM (details of 64 x 64 and
 * 32 x 32, low band of 32 x 32) and improved-diffusion (64 x 64) are released.
 */
export function unetConfig({ unet: name, features, height, width, ...channels }: UnetShape): UnetConfig {
  const side = Math.min(height, width);
  const shared = { unet: name, ...channels, width: features };
  if (name === "score")
    return { ...shared, multipliers: scoreMultipliers(height, width), blocks: 1, attention: [] };
  const wanted = channels.conditioning > 0 || side > 64 ? byResolution(side) : imageMultipliers(side);
  const multipliers = wanted.slice(0, resolutions(height, width, wanted.length));
  // Attention is at 16 and 8 pixels.
  const attention = multipliers.flatMap((_, i) => (side / 2 ** i >= 8 && side / 2 ** i <= 16 ? [i] : []));
  return { ...shared, multipliers, blocks: 3, attention };
}

/** Those of SGM for 128 x 128 from a resolution on, down to 8 pixels; the details of WSGM have the same. */
function byResolution(side: number): readonly number[] {
  const halvings = Math.max(0, Math.floor(Math.log2(side / 8)));
  return Array.from({ length: halvings + 1 }, (_, i) => {
    const resolution = side / 2 ** i;
    return resolution >= 128 ? 1 : resolution >= 32 ? 2 : 4;
  });
}

function imageMultipliers(side: number): readonly number[] {
  if (side >= 64) return [1, 2, 3, 4];
  return side >= 32 ? [1, 2, 2, 2] : side >= 16 ? [1, 2, 2] : [1, 2];
}

/**
 * @module What draws the coarsest low-pass band of a local model in few network calls: an EDM diffusion of that band,
 * trained beside the blind networks and used by sampling alone. The band has the range [0, 1] of the images there.
 */
import {
  add,
  type Backend,
  compile,
  constant,
  input,
  mul,
  type NamedArray,
  pack,
  type Packed,
  rng,
  type State,
  type Tensor,
} from "onnxgrad";
import { initScoreUnet, type ScoreUnetParams } from "../../../nn/score-unet.ts";
import { averagedState } from "../averaged-state.ts";
import { coarsestLow, type LowScaling, restoreLow, standardizeLow } from "../band-scaling.ts";
import { traceInputs } from "../../cost.ts";
import type { DiffusedBand } from "../diffused-band.ts";
import { diffusionStage } from "../diffusion-stage.ts";
import { scoreNetwork } from "../unet.ts";
import {
  denoiseLow,
  type LowDiffusionConfig,
  type LowDiffusionShape,
  lowFormulation,
  lowNetwork,
  lowSchedule,
  resolveLowDiffusion,
} from "../low-diffusion.ts";
import type { Extents } from "../../draw.ts";
import type { Stage } from "../../stage.ts";
import type { ImageShape, NetworkUse } from "../../system.ts";

/** Name of its stage. */
export const EDM_LOW = "edm-low";

/** Configuration of the diffusion of a low-pass band, with its mean and deviation for images in [-1, 1]. */
export interface EdmLowConfig extends LowScaling {
  readonly diffusion: LowDiffusionConfig;
  /** Of the training budget, 0..1. */
  readonly share: number;
}

/** Images, and how often they are halved. */
export interface LowPassShape extends ImageShape {
  readonly levels: number;
}

/** What learned it, and what was learned. */
export interface LowPassPrior {
  readonly channels: 1 | 3;
  readonly config: EdmLowConfig;
  /** Averaged parameters. */
  readonly state: State<{ readonly params: Packed<ScoreUnetParams> }>;
}

/** Share of the budget: the band decides what a picture shows, and its network is the largest. */
const SHARE = 0.4;

/** Fills in all defaults. */
export function resolveEdmLow(
  { height, width, levels }: LowPassShape,
  { lowMean, lowStd }: LowScaling,
  options: Omit<LowDiffusionShape, "height" | "width">,
): EdmLowConfig {
  const band = { height: height / 2 ** levels, width: width / 2 ** levels };
  return { diffusion: resolveLowDiffusion({ ...options, ...band }), share: SHARE, lowMean, lowStd };
}

/** The band, of images that are halved `levels` times. */
function edmLowBand(extents: Extents, levels: number, { diffusion, ...scaling }: EdmLowConfig): DiffusedBand {
  return {
    name: EDM_LOW,
    stage: EDM_LOW,
    extents,
    network: scoreNetwork(lowNetwork(extents[0]!, diffusion)),
    formulation: lowFormulation(diffusion),
    schedule: lowSchedule,
    prepare: (pixels) => ({ clean: standardizeLow(coarsestLow(pixels, levels), scaling) }),
  };
}

/** The stage that trains it. */
export function edmLowStage({ levels, ...image }: LowPassShape, config: EdmLowConfig): Stage {
  const extents = [image.channels, image.height / 2 ** levels, image.width / 2 ** levels];
  return diffusionStage(edmLowBand(extents, levels, config), {
    ...config.diffusion,
    image,
    share: config.share,
  });
}

/** Parameters of a configuration, for their names and shapes. */
function template(channels: number, { diffusion }: EdmLowConfig): Packed<ScoreUnetParams> {
  return pack(initScoreUnet(rng(0, "template"), lowNetwork(channels, diffusion)));
}

/** The network, traced for one image. */
export function edmLowNetwork(
  { channels, height, width, levels }: LowPassShape,
  config: EdmLowConfig,
): NetworkUse {
  const params = template(channels, config);
  const x = input("x", [1, channels, height / 2 ** levels, width / 2 ** levels]);
  return {
    name: EDM_LOW,
    parameters: params.data.length,
    runs: "each-step",
    outputs: [denoiseLow(traceInputs(params), x, { cSkip: 1, cOut: 1, cIn: 1, cNoise: 0 })],
  };
}

/** The prior in the arrays of a checkpoint. @throws UserError `state/mismatch`. */
export function edmLowOf(
  channels: 1 | 3,
  config: EdmLowConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
): LowPassPrior {
  return { channels, config, state: averagedState(checkpoint, EDM_LOW, template(channels, config)) };
}

/** Extents of the band are multiples of this: the network halves it so many times. */
export function multipleOf({ config }: LowPassPrior): number {
  return 2 ** (config.diffusion.multipliers.length - 1);
}

/** A prior compiled for bands of one shape. What it is given must stay as it is until it answers. */
export interface CompiledPrior {
  /** D(x; sigma) on the standardised band; the result is reused by the next call. */
  denoise(x: Float32Array, sigma: number): Promise<Float32Array>;
  /** Standardised band to the range [0, 1] of the images; the result is reused by the next call. */
  restore(x: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** Compiles a prior for bands of `shape` [n, c, h, w]. */
export async function compilePrior(
  backend: Backend,
  { config, state }: LowPassPrior,
  shape: readonly number[],
): Promise<CompiledPrior> {
  const formulation = lowFormulation(config.diffusion);
  const denoiser = await compile(
    backend,
    { state, inputs: { x: shape, cSkip: [], cOut: [], cIn: [], cNoise: [] } },
    ({ state: { params }, x, ...c }) => ({ denoised: denoiseLow(params, x, c) }),
  );
  const restore = await compile(backend, { inputs: { x: shape } }, ({ x }) => ({
    low: unitRange(restoreLow(x, config)),
  }));
  return {
    denoise: async (x, sigma) =>
      (await denoiser.run({ x, ...formulation.coefficients(sigma) }, { reuse: true })).denoised,
    restore: async (x) => (await restore.run({ x }, { reuse: true })).low,
    dispose: async () => {
      await Promise.all([denoiser.dispose(), restore.dispose()]);
    },
  };
}

/** [-1, 1] to [0, 1]. */
function unitRange(x: Tensor): Tensor {
  return mul(add(x, constant(1)), 0.5);
}

/**
 * @module WMGM, the default system: diffusion on the coarsest low band, one multi-scale generator for all details
 * (Xiao et al., arXiv 2411.09356, with float bands, EDM preconditioning and an energy score). At 0 levels it is SGM.
 */
import {
  type Backend,
  compile,
  constant,
  inlineState,
  input,
  type NamedArray,
  pack,
  rng,
  type Tensor,
  type Traced,
} from "onnxgrad";
import { initConditionalDiscriminator } from "../../nn/conditional-discriminator.ts";
import {
  detailGenerator,
  type DetailGeneratorParams,
  initDetailGenerator,
} from "../../nn/detail-generator.ts";
import { countParameters, SHAPES } from "../../nn/layers.ts";
import { initScoreUnet, type ScoreUnetParams } from "../../nn/score-unet.ts";
import { averagedState } from "../parts/averaged-state.ts";
import { detailStage } from "./detail-stage.ts";
import { diffusionStage } from "../parts/diffusion-stage.ts";
import { coarsestLow, restoreLow, standardizeLow, synthesiseLevel } from "../parts/band-scaling.ts";
import { compiledSampler } from "../compiled-sampler.ts";
import { traceInputs } from "../cost.ts";
import { denoiseLow, lowFormulation, lowNetwork, lowSchedule } from "../parts/low-diffusion.ts";
import { drawBand } from "../parts/band-diffusion.ts";
import { apply, averaged, drawBySampler, type SamplerChoice } from "../parts/steps.ts";
import type { DrawStep } from "../draw.ts";
import type { Stage } from "../stage.ts";
import type { CompiledSampler, NetworkUse, System, TracedSampler } from "../system.ts";
import type { WmgmConfig } from "./config.ts";

type PackedOf<T> = ReturnType<typeof pack<T>>;

function generatorNetwork({ channels, detail: { noiseChannels, widths, blocks } }: WmgmConfig) {
  return { channels, noiseChannels, widths, blocks };
}

function discriminatorNetwork({ channels, detail: { criticWidths } }: WmgmConfig) {
  return { channels, widths: criticWidths };
}

/** The stages that train a WMGM. */
function wmgmStages(config: WmgmConfig): readonly Stage[] {
  const { height, width, levels, scaling, low, detail, lowShare } = config;
  const diffusion = diffusionStage({
    name: "low",
    share: lowShare,
    network: lowNetwork(config.channels, config.low),
    formulation: lowFormulation(config.low),
    height,
    width,
    levels,
    prepare: (pixels) => standardizeLow(coarsestLow(pixels, levels), scaling),
    batch: low.batch,
    lr: low.lr,
    emaDecay: low.emaDecay,
  });
  if (levels === 0) return [diffusion];
  const details = detailStage({
    ...detail,
    name: "detail",
    share: 1 - lowShare,
    generator: generatorNetwork(config),
    discriminator: discriminatorNetwork(config),
    scaling,
    height,
    width,
    levels,
  });
  return [details, diffusion];
}

/** Parameter templates of the networks that sampling needs, packed as the stages keep them. */
export function wmgmTemplates(config: WmgmConfig): {
  readonly low: PackedOf<ScoreUnetParams>;
  readonly detail?: PackedOf<DetailGeneratorParams>;
} {
  return {
    low: pack(initScoreUnet(rng(0, "template"), lowNetwork(config.channels, config.low))),
    ...(config.levels === 0
      ? {}
      : { detail: pack(initDetailGenerator(rng(0, "template"), generatorNetwork(config))) }),
  };
}

/** One synthesis: low band of `level` and noise to the image of level - 1, both in the image's range. */
export function synthesise(
  config: WmgmConfig,
  params: Traced<NonNullable<ReturnType<typeof wmgmTemplates>["detail"]>>,
  low: Tensor,
  noise: Tensor,
  level: number,
): Tensor {
  const detail = detailGenerator(params, {
    low,
    noise,
    level: constant(level, [1]),
    augmentation: constant(config.detail.samplingAugmentation, [1]),
  });
  return synthesiseLevel(low, detail, level, config.scaling);
}

/** The networks, traced for one image. */
function networks(config: WmgmConfig): readonly NetworkUse[] {
  const { channels, levels } = config;
  const extents = (level: number) => [config.height / 2 ** level, config.width / 2 ** level] as const;
  const { low, detail } = wmgmTemplates(config);
  const x = input("x", [1, channels, ...extents(levels)]);
  const denoiser: NetworkUse = {
    name: "denoiser",
    parameters: low.data.length,
    runs: "each-step",
    outputs: [denoiseLow(traceInputs(low), x, { cSkip: 1, cOut: 1, cIn: 1, cNoise: 0 })],
  };
  if (detail === undefined) return [denoiser];
  const params = traceInputs(detail);
  return [
    denoiser,
    {
      name: "generator",
      parameters: detail.data.length,
      runs: "once",
      outputs: Array.from({ length: levels }, (_, i) => {
        const level = levels - i;
        const band = input("low", [1, channels, ...extents(level)]);
        const noise = input("noise", [1, config.detail.noiseChannels, ...extents(level)]);
        return synthesise(config, params, band, noise, level);
      }),
    },
    {
      name: "discriminator",
      parameters: countParameters(
        initConditionalDiscriminator(rng(0, "template"), discriminatorNetwork(config)),
      ),
      runs: "in-training",
      outputs: [],
    },
  ];
}

/**
 * The averaged parameters of a checkpoint (`low.average.*`, `detail.average.*`).
 * @throws UserError `state/mismatch` when the checkpoint does not belong to the configuration.
 */
function averagedStates(config: WmgmConfig, checkpoint: ReadonlyMap<string, NamedArray>) {
  const { low, detail } = wmgmTemplates(config);
  return {
    low: averagedState(checkpoint, "low", low),
    detail: detail && averagedState(checkpoint, "detail", detail),
  };
}

/** Levels from the coarsest to the finest, each with the extents of the noise of its synthesis. */
function detailNoise({ height, width, levels, detail }: WmgmConfig): TracedSampler["detailNoise"] {
  return Array.from({ length: levels }, (_, i) => {
    const level = levels - i;
    return { level, shape: [detail.noiseChannels, height / 2 ** level, width / 2 ** level] };
  });
}

function traceSampler(config: WmgmConfig, checkpoint: ReadonlyMap<string, NamedArray>): TracedSampler {
  const states = averagedStates(config, checkpoint);
  const low = inlineState(states.low).params;
  const detail = states.detail && inlineState(states.detail).params;
  const formulation = lowFormulation(config.low);
  const noises = detailNoise(config);
  return {
    detailNoise: noises,
    denoise: (x, sigma) => denoiseLow(low, x, formulation.coefficients(sigma)),
    decode: (sample, noise) =>
      noises.reduce(
        (image, { level }) => synthesise(config, detail!, image, noise(level), level),
        restoreLow(sample, config.scaling),
      ),
  };
}

/**
 * Compiles the networks with the averaged parameters of a checkpoint.
 * @throws UserError `state/mismatch` when the checkpoint does not belong to the configuration.
 */
async function createSampler(
  backend: Backend,
  config: WmgmConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
  batch: number,
): Promise<CompiledSampler> {
  const { channels, height, width, levels } = config;
  const lowShape = [batch, channels, height / 2 ** levels, width / 2 ** levels];
  const { low: lowState, detail: detailState } = averagedStates(config, checkpoint);
  const formulation = lowFormulation(config.low);
  const denoiser = await compile(
    backend,
    { state: lowState, inputs: { x: lowShape, cSkip: [], cOut: [], cIn: [], cNoise: [] } },
    ({ state, x, ...c }) => ({ denoised: denoiseLow(state.params, x, c) }),
  );
  const start = await compile(backend, { inputs: { low: lowShape } }, ({ low }) => ({
    image: restoreLow(low, config.scaling),
  }));

  const refinements = await Promise.all(
    detailNoise(config).map(async ({ level, shape }) => {
      const [h, w] = [height / 2 ** level, width / 2 ** level];
      const noiseShape = [batch, ...shape];
      const program = await compile(
        backend,
        { state: detailState!, inputs: { low: [batch, channels, h, w], noise: noiseShape } },
        ({ state, low, noise }) => ({ image: synthesise(config, state.params, low, noise, level) }),
      );
      return { level, program, noise: new Float32Array(noiseShape.reduce((a, b) => a * b, 1)) };
    }),
  );

  return compiledSampler({ batch, denoiser, formulation, start, refinements });
}

/** The chain that draws: the low band by diffusion, then one call of the generator a level. */
function drawSteps(config: WmgmConfig, chosen: SamplerChoice): readonly DrawStep[] {
  const { channels, height, width, levels, scaling, low, detail } = config;
  const extents = (level: number, bands: number = channels) => [
    bands,
    height / 2 ** level,
    width / 2 ** level,
  ];
  const generator = averaged("generator", "detail", () =>
    initDetailGenerator(SHAPES, generatorNetwork(config)),
  );
  return [
    drawBand(
      {
        name: "denoiser",
        stage: "low",
        network: lowNetwork(channels, low),
        formulation: lowFormulation(low),
        schedule: lowSchedule,
      },
      chosen,
      {
        name: "low",
        gives: extents(levels),
        level: levels,
        state: extents(levels),
        finish: (x) => restoreLow(x, scaling),
      },
    ),
    ...Array.from({ length: levels }, (_, i) => {
      const level = levels - i;
      const name = `detail_noise_${level}`;
      return apply({
        name: `details-${level}`,
        gives: extents(level - 1),
        level: level - 1,
        weights: generator,
        noise: {
          [name]: { stream: `sampling-detail-${level}`, extents: extents(level, detail.noiseChannels) },
        },
        run: ({ params }, { given }, noise) => synthesise(config, params, given!, noise[name]!, level),
      });
    }),
  ];
}

/** The system of a configuration. */
export function wmgm(config: WmgmConfig): System {
  const { channels, height, width, levels } = config;
  return {
    draw: drawBySampler({ sampler: "dpmpp2m", steps: 8 }, (chosen) => drawSteps(config, chosen)),
    image: { channels, height, width },
    low: { channels, height: height / 2 ** levels, width: width / 2 ** levels },
    levels,
    stages: wmgmStages(config),
    schedule: lowSchedule,
    networks: () => networks(config),
    createSampler: (backend, checkpoint, batch) => createSampler(backend, config, checkpoint, batch),
    traceSampler: (checkpoint) => traceSampler(config, checkpoint),
  };
}

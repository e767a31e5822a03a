/**
 * @module WMGM as its authors released it (Xiao et al., arXiv 2411.09356), the baseline of every comparison: an 8-bit
 * low band under DDPM, and one generator with attention gates for the details of all scales.
 */
import {
  type Backend,
  clamp,
  compile,
  constant,
  inlineState,
  input,
  mul,
  type NamedArray,
  pack,
  type Packed,
  type Rng,
  State,
  type StateTree,
  sub,
  type Tensor,
} from "onnxgrad";
import type { AttentionUnetParams, AttentionUnetStatistics } from "../../nn/attention-unet.ts";
import { countParameters, type Params, SHAPES } from "../../nn/layers.ts";
import { initPixelDiscriminator } from "../../nn/pixel-discriminator.ts";
import { initScoreUnet, type ScoreUnetParams } from "../../nn/score-unet.ts";
import { compiledSampler } from "../compiled-sampler.ts";
import { traceInputs } from "../cost.ts";
import type { CompiledSampler, NetworkUse, System, TracedSampler } from "../system.ts";
import type { DrawStep } from "../draw.ts";
import { drawBand } from "../parts/band-diffusion.ts";
import { apply, drawBySampler, type SamplerChoice, stored } from "../parts/steps.ts";
import { refine } from "./bands.ts";
import { FAITHFUL_SAMPLING, type WmgmFaithfulConfig } from "./config.ts";
import {
  discriminatorNetwork,
  faithfulDetailStage,
  type GeneratorState,
  initGenerator,
  levelsOf,
  statisticsKey,
} from "./detail.ts";
import { denoiseLow, faithfulLowStage, lowFormulation, lowNetwork, lowSchedule, restoreLow } from "./low.ts";

/** The generator as sampling runs it: parameters, and running statistics by {@link statisticsKey}. */
interface TracedGenerator {
  readonly params: Params<AttentionUnetParams>;
  readonly statistics: Readonly<Record<string, Params<AttentionUnetStatistics>>>;
}

/** Images in [0, 1], cut to that range as files are, to pixels in [-1, 1]. */
function toPixels(image: Tensor): Tensor {
  return sub(mul(clamp(image, 0, 1), 2), 1);
}

/** The diffusion's [-1, 1] to the low band of images in [0, 1]; without levels that is the image, in pixels. */
function startDecoding(sample: Tensor, config: WmgmFaithfulConfig): Tensor {
  const low = restoreLow(sample, config);
  return config.levels === 0 ? toPixels(low) : low;
}

/**
 * One refinement: low band of `level` and noise of its shape to the image of level - 1, both in the range of images in
 * [0, 1], the finest in pixels. Batch normalisation goes by the running statistics.
 */
function decodeLevel(
  { params, statistics }: TracedGenerator,
  low: Tensor,
  noise: Tensor,
  level: number,
  config: WmgmFaithfulConfig,
): Tensor {
  const key = statisticsKey(level, config);
  const generator = { params, statistics: statistics[key]!, phase: "inference" } as const;
  const { image } = refine(generator, low, noise, level, config.defects);
  return level === 1 ? toPixels(image) : image;
}

/** Extents of the low band of `level`, which its noise shares. */
function bandShape({ channels, height, width }: WmgmFaithfulConfig, level: number): readonly number[] {
  return [channels, height / 2 ** level, width / 2 ** level];
}

/** Levels from the coarsest, where decoding starts. */
function coarsestFirst(config: WmgmFaithfulConfig): readonly number[] {
  return levelsOf(config).toReversed();
}

/** For networks whose shapes are wanted, not their values: drawing 79 million numbers takes seconds. */
const BLANK = { uniform: () => 0, normal: () => 0 } as unknown as Rng;

type Templates = {
  readonly low: { readonly params: Packed<ScoreUnetParams> };
  readonly detail: GeneratorState | undefined;
};

/** What sampling needs of a checkpoint, untrained. */
function templates(config: WmgmFaithfulConfig): Templates {
  return {
    low: { params: pack(initScoreUnet(BLANK, lowNetwork(config))) },
    detail: config.levels === 0 ? undefined : initGenerator(config, BLANK),
  };
}

/**
 * What sampling takes from a checkpoint: the average of the low band's network; of the generator the last parameters
 * (the average, where that defect is repaired) and the running statistics.
 * @throws UserError `state/mismatch` when the checkpoint does not belong to the configuration.
 */
export function sampledStates(
  config: WmgmFaithfulConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
): { readonly low: State<Templates["low"]>; readonly detail: State<GeneratorState> | undefined } {
  const under = (prefix: string, name: string) =>
    [...checkpoint].flatMap(([key, array]) =>
      key.startsWith(`${prefix}.`) ? [[`${name}${key.slice(prefix.length)}`, array] as const] : [],
    );
  const { low, detail } = templates(config);
  const states = { low: new State(low), detail: detail && new State(detail) };
  states.low.load(new Map(under("low.average", "params")));
  states.detail?.load(
    new Map([
      ...under(config.defects.lastParameters ? "detail.params" : "detail.average", "params"),
      ...under("detail.statistics", "statistics"),
    ]),
  );
  return states;
}

function traceSampler(
  config: WmgmFaithfulConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
): TracedSampler {
  const states = sampledStates(config, checkpoint);
  const low = inlineState(states.low).params;
  const generator = states.detail && (inlineState(states.detail) as unknown as TracedGenerator);
  const formulation = lowFormulation(config);
  return {
    detailNoise: coarsestFirst(config).map((level) => ({ level, shape: bandShape(config, level) })),
    denoise(x, sigma) {
      const { cSkip, cOut, cIn, cNoise } = formulation.coefficients(sigma);
      return denoiseLow(low, x, {
        cSkip: constant(cSkip),
        cOut: constant(cOut),
        cIn: constant(cIn),
        cNoise: constant(cNoise),
      });
    },
    decode: (sample, noise) =>
      coarsestFirst(config).reduce(
        (image, level) => decodeLevel(generator!, image, noise(level), level, config),
        startDecoding(sample, config),
      ),
  };
}

async function createSampler(
  backend: Backend,
  config: WmgmFaithfulConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
  batch: number,
): Promise<CompiledSampler> {
  const states = sampledStates(config, checkpoint);
  const lowShape = [batch, ...bandShape(config, config.levels)];
  const formulation = lowFormulation(config);
  const denoiser = await compile(
    backend,
    { state: states.low, inputs: { x: lowShape, cSkip: [], cOut: [], cIn: [], cNoise: [] } },
    ({ state, x, ...c }) => ({ denoised: denoiseLow(state.params, x, c) }),
  );
  const start = await compile(backend, { inputs: { low: lowShape } }, ({ low }) => ({
    image: startDecoding(low, config),
  }));
  const refinements = await Promise.all(
    coarsestFirst(config).map(async (level) => {
      const shape = [batch, ...bandShape(config, level)];
      const program = await compile(
        backend,
        { state: states.detail!, inputs: { low: shape, noise: shape } },
        ({ state, low, noise }) => ({
          image: decodeLevel(state as unknown as TracedGenerator, low, noise, level, config),
        }),
      );
      return { level, program, noise: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
    }),
  );

  return compiledSampler({ batch, denoiser, formulation, start, refinements });
}

/** The networks, traced for one image. */
function networks(config: WmgmFaithfulConfig): readonly NetworkUse[] {
  const { low, detail } = templates(config);
  const band = (name: string, level: number) => input(name, [1, ...bandShape(config, level)]);
  const c = { cSkip: constant(1), cOut: constant(1), cIn: constant(1), cNoise: constant(0) };
  const denoiser: NetworkUse = {
    name: "denoiser",
    parameters: low.params.data.length,
    runs: "each-step",
    outputs: [denoiseLow(traceInputs(low.params), band("x", config.levels), c)],
  };
  if (detail === undefined) return [denoiser];
  const generator = {
    params: traceInputs(detail.params),
    statistics: Object.fromEntries(
      Object.entries(detail.statistics).map(([key, statistics]) => [key, traceInputs(statistics)]),
    ),
  } as unknown as TracedGenerator;
  return [
    denoiser,
    {
      name: "generator",
      parameters: detail.params.data.length,
      runs: "once",
      outputs: coarsestFirst(config).map((level) =>
        decodeLevel(generator, band("low", level), band("noise", level), level, config),
      ),
    },
    {
      name: "discriminator",
      parameters: countParameters(initPixelDiscriminator(BLANK, discriminatorNetwork(config))),
      runs: "in-training",
      outputs: [],
    },
  ];
}

/** The chain that draws: the low band by diffusion, then one call of the generator a level. */
function drawSteps(config: WmgmFaithfulConfig, chosen: SamplerChoice): readonly DrawStep[] {
  const { levels, defects } = config;
  const coarsest = bandShape(config, levels);
  // One object for all levels, which share parameters: each picks its statistics.
  const generator = stored<GeneratorState & Readonly<Record<string, StateTree>>>(
    "generator",
    {
      params: defects.lastParameters ? "detail.params" : "detail.average",
      statistics: "detail.statistics",
    },
    () => initGenerator(config, SHAPES),
  );
  return [
    drawBand(
      {
        name: "denoiser",
        stage: "low",
        network: lowNetwork(config),
        formulation: lowFormulation(config),
        schedule: lowSchedule(config),
        clip: true,
      },
      chosen,
      {
        name: "low",
        gives: coarsest,
        level: levels,
        state: coarsest,
        finish: (x) => startDecoding(x, config),
      },
    ),
    ...coarsestFirst(config).map((level) => {
      const name = `detail_noise_${level}`;
      return apply({
        name: `details-${level}`,
        gives: bandShape(config, level - 1),
        level: level - 1,
        weights: generator,
        noise: { [name]: { stream: `sampling-detail-${level}`, extents: bandShape(config, level) } },
        run: (weights, { given }, noise) =>
          decodeLevel(weights as unknown as TracedGenerator, given!, noise[name]!, level, config),
      });
    }),
  ];
}

/** The system of a configuration. */
export function wmgmFaithful(config: WmgmFaithfulConfig): System {
  const { channels, height, width, levels } = config;
  const low = faithfulLowStage(config);
  return {
    draw: drawBySampler(FAITHFUL_SAMPLING, (chosen) => drawSteps(config, chosen)),
    image: { channels, height, width },
    low: { channels, height: height / 2 ** levels, width: width / 2 ** levels },
    levels,
    stages: levels === 0 ? [low] : [faithfulDetailStage(config), low],
    schedule: lowSchedule(config),
    networks: () => networks(config),
    createSampler: (backend, checkpoint, batch) => createSampler(backend, config, checkpoint, batch),
    traceSampler: (checkpoint) => traceSampler(config, checkpoint),
  };
}

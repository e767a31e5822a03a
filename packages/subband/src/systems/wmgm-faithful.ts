/**
 * @module WMGM as its authors released it (Xiao et al., arXiv 2411.09356), the baseline of every comparison: an 8-bit
 * low band under DDPM, and one generator with attention gates for the details of all scales.
 */
import {
  type Backend,
  clamp,
  compile,
  mul,
  type NamedArray,
  pack,
  rng,
  State,
  sub,
  type Tensor,
} from "onnxgrad";
import type { AttentionUnetParams, AttentionUnetStatistics } from "../nn/attention-unet.ts";
import type { Params } from "../nn/layers.ts";
import { initScoreUnet } from "../nn/score-unet.ts";
import type { CompiledSampler, System } from "./system.ts";
import { refine } from "./wmgm-faithful-bands.ts";
import type { WmgmFaithfulConfig } from "./wmgm-faithful-config.ts";
import { faithfulDetailStage, initGenerator, levelsOf, statisticsKey } from "./wmgm-faithful-detail.ts";
import {
  denoiseLow,
  faithfulLowStage,
  lowFormulation,
  lowNetwork,
  lowSchedule,
  restoreLow,
} from "./wmgm-faithful-low.ts";

/** The generator as sampling runs it: parameters, and the running statistics of all levels by {@link statisticsKey}. */
export interface TracedGenerator {
  readonly params: Params<AttentionUnetParams>;
  readonly statistics: Readonly<Record<string, Params<AttentionUnetStatistics>>>;
}

/**
 * One refinement when sampling: low band of `level` and noise of its shape to the image of level - 1, both in the range
 * of images in [0, 1]; batch normalisation by running statistics.
 */
export function refineFaithful(
  config: WmgmFaithfulConfig,
  { params, statistics }: TracedGenerator,
  low: Tensor,
  noise: Tensor,
  level: number,
): Tensor {
  const generator = {
    params,
    statistics: statistics[statisticsKey(level, config)]!,
    phase: "inference",
  } as const;
  return refine(generator, low, noise, level, config.defects).image;
}

/** Images in [0, 1], cut to that range as files are, to pixels in [-1, 1]. */
export function toPixels(image: Tensor): Tensor {
  return sub(mul(clamp(image, 0, 1), 2), 1);
}

/** Templates of what sampling needs of a checkpoint, packed as the stages keep it. */
export function faithfulTemplates(config: WmgmFaithfulConfig) {
  return {
    low: { params: pack(initScoreUnet(rng(0, "template"), lowNetwork(config))) },
    detail: config.levels === 0 ? undefined : initGenerator(config, 0),
  };
}

/**
 * The arrays of a checkpoint that {@link faithfulTemplates} takes, named as there: the low band's average; of the
 * generator the last parameters (the average, where that defect is repaired) and the running statistics.
 */
export function faithfulArrays(
  { defects }: WmgmFaithfulConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
): { readonly low: ReadonlyMap<string, NamedArray>; readonly detail: ReadonlyMap<string, NamedArray> } {
  const under = (prefix: string, name: string) =>
    [...checkpoint].flatMap(([key, array]) =>
      key.startsWith(`${prefix}.`) ? [[`${name}${key.slice(prefix.length)}`, array] as const] : [],
    );
  return {
    low: new Map(under("low.average", "params")),
    detail: new Map([
      ...under(defects.lastParameters ? "detail.params" : "detail.average", "params"),
      ...under("detail.statistics", "statistics"),
    ]),
  };
}

/** @throws UserError `state/mismatch` when the checkpoint does not belong to the configuration. */
async function createSampler(
  backend: Backend,
  config: WmgmFaithfulConfig,
  checkpoint: ReadonlyMap<string, NamedArray>,
  batch: number,
): Promise<CompiledSampler> {
  const { channels, height, width, levels } = config;
  const templates = faithfulTemplates(config);
  const arrays = faithfulArrays(config, checkpoint);
  const bandShape = (level: number) => [batch, channels, height / 2 ** level, width / 2 ** level];

  const lowState = new State(templates.low);
  lowState.load(arrays.low);
  const formulation = lowFormulation(config);
  const denoiser = await compile(
    backend,
    { state: lowState, inputs: { x: bandShape(levels), cSkip: [], cOut: [], cIn: [], cNoise: [] } },
    ({ state, x, ...c }) => ({ denoised: denoiseLow(state.params, x, c) }),
  );
  const restore = await compile(backend, { inputs: { sample: bandShape(levels) } }, ({ sample }) => {
    const low = restoreLow(sample, config);
    return { low: levels === 0 ? toPixels(low) : low };
  });

  const detailState = templates.detail && new State(templates.detail);
  detailState?.load(arrays.detail);
  const refinements = await Promise.all(
    levelsOf(config).map(async (level) => {
      const shape = bandShape(level);
      const program = await compile(
        backend,
        { state: detailState!, inputs: { low: shape, noise: shape } },
        ({ state, low, noise }) => {
          const image = refineFaithful(config, state as unknown as TracedGenerator, low, noise, level);
          return { image: level === 1 ? toPixels(image) : image };
        },
      );
      return { level, program, noise: new Float32Array(shape.reduce((a, b) => a * b, 1)) };
    }),
  );

  return {
    batch,
    detailCalls: levels,
    async denoise(x, sigma) {
      const { denoised } = await denoiser.run({ x, ...formulation.coefficients(sigma) });
      return denoised;
    },
    async decode(sample, noise) {
      let image: Float32Array = (await restore.run({ sample })).low;
      for (const { level, program, noise: buffer } of refinements.toReversed()) {
        noise(level, buffer);
        ({ image } = await program.run({ low: image, noise: buffer }));
      }
      return image;
    },
    async dispose() {
      await Promise.all([
        denoiser.dispose(),
        restore.dispose(),
        ...refinements.map(({ program }) => program.dispose()),
      ]);
    },
  };
}

/** The system of a configuration. */
export function wmgmFaithful(config: WmgmFaithfulConfig): System {
  const { channels, height, width, levels } = config;
  const low = faithfulLowStage(config);
  return {
    image: { channels, height, width },
    low: { channels, height: height / 2 ** levels, width: width / 2 ** levels },
    levels,
    stages: levels === 0 ? [low] : [faithfulDetailStage(config), low],
    schedule: lowSchedule(config),
    createSampler: (backend, checkpoint, batch) => createSampler(backend, config, checkpoint, batch),
  };
}

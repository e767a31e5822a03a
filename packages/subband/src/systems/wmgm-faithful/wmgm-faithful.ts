/**
 * @module WMGM as its authors released it (Xiao et al., arXiv 2411.09356), the baseline of every comparison: an 8-bit
 * low band under DDPM, and one generator with attention gates for the details of all scales.
 */
import { clamp, mul, sub, type Tensor } from "onnxgrad";
import type { AttentionUnetParams, AttentionUnetStatistics } from "../../nn/attention-unet.ts";
import { type Params, SHAPES } from "../../nn/layers.ts";
import type { System } from "../system.ts";
import type { DrawStep, Weights } from "../draw.ts";
import { drawBand } from "../parts/band-diffusion.ts";
import { apply, drawBySampler, type SamplerChoice, stored } from "../parts/steps.ts";
import { refine } from "./bands.ts";
import { FAITHFUL_SAMPLING, type WmgmFaithfulConfig } from "./config.ts";
import {
  faithfulDetailStage,
  type GeneratorState,
  initGenerator,
  levelsOf,
  statisticsKey,
} from "./detail.ts";
import { faithfulLowStage, lowBand, restoreLow } from "./low.ts";

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

/** The last parameters of the generator (the average, where that defect is repaired), and its running statistics. */
export function generatorWeights(config: WmgmFaithfulConfig): Weights<GeneratorState> {
  const params = config.defects.lastParameters ? "detail.params" : "detail.average";
  return stored<GeneratorState>("generator", { params, statistics: "detail.statistics" }, () =>
    initGenerator(config, SHAPES),
  );
}

/** The chain that draws: the low band by diffusion, then one call of the generator a level. */
function drawSteps(config: WmgmFaithfulConfig, chosen: SamplerChoice): readonly DrawStep[] {
  const { levels } = config;
  // One object for all levels, which share parameters: each picks its statistics.
  const generator = generatorWeights(config);
  return [
    drawBand(lowBand(config), chosen, {
      name: "low",
      gives: bandShape(config, levels),
      level: levels,
      finish: (x) => startDecoding(x, config),
    }),
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
    image: { channels, height, width },
    // Orthonormal low bands of images in [0, 1].
    pyramid: { levels, passes: (level) => ({ offset: 2 ** (level - 1), scale: 2 ** (level - 1) }) },
    stages: levels === 0 ? [low] : [faithfulDetailStage(config), low],
    draw: drawBySampler(FAITHFUL_SAMPLING, (chosen) => drawSteps(config, chosen)),
  };
}

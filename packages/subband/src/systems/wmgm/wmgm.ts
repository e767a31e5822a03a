/**
 * @module WMGM, the default system: diffusion on the coarsest low band, one multi-scale generator for all details
 * (Xiao et al., arXiv 2411.09356, with float bands, EDM preconditioning and an energy score). At 0 levels it is SGM.
 */
import { constant, mul, type Tensor } from "onnxgrad";
import {
  detailGenerator,
  type DetailGeneratorParams,
  initDetailGenerator,
  noiseExtents,
} from "../../nn/detail-generator.ts";
import { type Params, SHAPES } from "../../nn/layers.ts";
import { detailStage } from "./detail-stage.ts";
import { diffusionStage } from "../parts/diffusion-stage.ts";
import { coarsestLow, restoreLow, standardizeLow, synthesiseLevel } from "../parts/band-scaling.ts";
import { lowFormulation, lowNetwork, lowSchedule, lowSteps } from "../parts/low-diffusion.ts";
import { drawBand } from "../parts/band-diffusion.ts";
import type { DiffusedBand } from "../parts/diffused-band.ts";
import { scoreNetwork } from "../parts/unet.ts";
import { apply, averaged } from "../parts/steps.ts";
import type { DrawStep, Extents } from "../draw.ts";
import type { Stage } from "../stage.ts";
import type { System } from "../system.ts";
import type { WmgmConfig } from "./config.ts";
import { drawAtTemperature, type WmgmChoice } from "./drawing.ts";

function generatorNetwork({ channels, detail }: WmgmConfig) {
  const { noiseAt, noiseChannels, widths, blocks } = detail;
  return { channels, noiseAt, noiseChannels, widths, blocks };
}

/** Extents of a band of `bands` channels after some analyses. */
function extentsOf({ height, width }: WmgmConfig, level: number, bands: number): Extents {
  return [bands, height / 2 ** level, width / 2 ** level];
}

/** The coarsest low band. */
function lowBand(config: WmgmConfig): DiffusedBand {
  const { channels, levels, scaling, low } = config;
  const extents = extentsOf(config, levels, channels);
  return {
    name: "denoiser",
    stage: "low",
    extents,
    network: scoreNetwork(lowNetwork(channels, low)),
    formulation: lowFormulation(low),
    schedule: lowSchedule(extents),
    prepare: (pixels) => ({ clean: standardizeLow(coarsestLow(pixels, levels), scaling) }),
  };
}

/** The stages that train a WMGM. */
function wmgmStages(config: WmgmConfig): readonly Stage[] {
  const { channels, height, width, levels, scaling, low, detail, lowShare } = config;
  const image = { channels, height, width };
  const diffusion = diffusionStage(lowBand(config), { ...low, image, share: lowShare });
  if (levels === 0) return [diffusion];
  const details = detailStage({
    ...detail,
    name: "detail",
    share: 1 - lowShare,
    generator: generatorNetwork(config),
    discriminator: { widths: detail.criticWidths },
    scaling,
    height,
    width,
    levels,
  });
  return [details, diffusion];
}

/** One synthesis: low band of `level` and noise to the image of level - 1, both in the image's range. */
function synthesise(
  config: WmgmConfig,
  params: Params<DetailGeneratorParams>,
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

/** The chain that draws: the low band by diffusion, then one call of the generator a level. */
function drawSteps(config: WmgmConfig, { temperature = 1, ...chosen }: WmgmChoice): readonly DrawStep[] {
  const { channels, height, width, levels, scaling, detail } = config;
  const generator = averaged("generator", "detail", () =>
    initDetailGenerator(SHAPES, generatorNetwork(config)),
  );
  return [
    drawBand(lowBand(config), chosen, {
      name: "low",
      gives: extentsOf(config, levels, channels),
      level: levels,
      finish: (x) => restoreLow(x, scaling),
    }),
    ...Array.from({ length: levels }, (_, i) => {
      const level = levels - i;
      const name = `detail_noise_${level}`;
      return apply({
        name: `details-${level}`,
        gives: extentsOf(config, level - 1, channels),
        level: level - 1,
        weights: generator,
        noise: {
          [name]: {
            stream: `sampling-detail-${level}`,
            extents: noiseExtents(detail, height / 2 ** level, width / 2 ** level),
          },
        },
        run: ({ params }, { given }, noise) =>
          synthesise(config, params, given!, mul(noise[name]!, temperature), level),
      });
    }),
  ];
}

/** The system of a configuration. */
export function wmgm(config: WmgmConfig): System {
  const { channels, height, width, levels, scaling } = config;
  return {
    image: { channels, height, width },
    pyramid: { levels, detailRms: scaling.detailRms },
    stages: wmgmStages(config),
    draw: drawAtTemperature(
      {
        ...{ sampler: "dpmpp2m", steps: lowSteps(lowBand(config).extents) },
        ...(levels > 0 && { temperature: config.detail.samplingTemperature }),
      },
      (chosen) => drawSteps(config, chosen),
    ),
  };
}

/**
 * @module WSGM (Guth, Coste, De Bortoli, Mallat, NeurIPS 2022): p(x) = p(x_J) prod_j p(details_j | x_j). Each factor is a
 * diffusion with a network of its own, on standardised Haar bands, and takes as many steps as any other.
 */
import { drawBand } from "../parts/band-diffusion.ts";
import type { DiffusedBand } from "../parts/diffused-band.ts";
import { diffusionStage } from "../parts/diffusion-stage.ts";
import { processNamed, sideOf } from "../parts/processes.ts";
import {
  analyse,
  lowBand,
  type Moments,
  restore,
  standardise,
  synthesise,
} from "../parts/standardised-bands.ts";
import { unet } from "../parts/unet.ts";
import type { Draw, DrawStep, Extents } from "../draw.ts";
import type { System } from "../system.ts";
import { chooseDrawing, describeDrawing, stepsOfScales, type WsgmChoice, type WsgmAsked } from "./drawing.ts";
import type { WsgmConfig } from "./config.ts";

/** A band with what it is trained and drawn by, but for the process. */
type Scale = Omit<DiffusedBand, "formulation" | "schedule">;

/** The coarsest low band. */
function coarsest(config: WsgmConfig): Scale {
  const levels = config.levels.length;
  return {
    name: "low denoiser",
    stage: "low",
    stream: "low",
    extents: extentsOf(config, levels, config.channels),
    network: unet(config.low),
    prepare: (pixels) => ({ clean: standardise(lowBand(pixels, levels), config.levels.at(-1)!.moments.low) }),
  };
}

/** The details of a level, given its low band. */
function details(config: WsgmConfig, level: number): Scale {
  const { moments, details: network } = config.levels[level - 1]!;
  const stage = `details-${level}`;
  return {
    name: `${stage} denoiser`,
    stage,
    stream: stage,
    extents: extentsOf(config, level, 3 * config.channels),
    network: unet(network),
    prepare(pixels) {
      const { low, detail } = analyse(lowBand(pixels, level - 1));
      return { clean: standardise(detail, moments.detail), low };
    },
    condition: (low) => standardise(low, moments.low),
  };
}

function extentsOf({ height, width }: WsgmConfig, level: number, bands: number): Extents {
  return [bands, height / 2 ** level, width / 2 ** level];
}

/** Levels from the coarsest, where drawing starts. */
function levelsOf({ levels }: WsgmConfig): readonly number[] {
  return levels.map((_, i) => levels.length - i);
}

/** The chain that draws: the coarsest low band, then the details of each level, which make the low band above. */
function drawSteps(config: WsgmConfig, { sampler, times, ...chosen }: WsgmChoice): readonly DrawStep[] {
  const { channels, levels } = config;
  const process = processNamed(config.formulation, DEVIATION, times);
  const [first, ...others] = stepsOfScales(chosen, levels.length + 1);
  const { moments } = levels.at(-1)!;
  const lowest = coarsest(config);
  const low = drawBand(
    { ...lowest, ...processNamed(config.formulation, DEVIATION, times, sideOf(lowest.extents)) },
    { sampler, steps: first! },
    {
      name: "low",
      gives: extentsOf(config, levels.length, channels),
      level: levels.length,
      run: "low",
      finish: (x) => restore(x, moments.low),
    },
  );
  return [
    low,
    ...levelsOf(config).map((level, i) => {
      const band = details(config, level);
      return drawBand(
        { ...band, ...process },
        { sampler, steps: others[i]! },
        {
          name: band.stage,
          gives: extentsOf(config, level - 1, channels),
          level: level - 1,
          run: band.stage,
          finish: (x, { given }) =>
            synthesise({ low: given!, detail: restore(x, levels[level - 1]!.moments.detail) }),
        },
      );
    }),
  ];
}

/** Standard deviation of standardised bands. */
const DEVIATION = 1;

/** The system of a configuration. */
export function wsgm(config: WsgmConfig): System {
  const { channels, height, width, levels, formulation, batch, lr, emaDecay } = config;
  const image = { channels, height, width };
  const process = processNamed(formulation, DEVIATION, "quadratic");
  const training = { image, batch, lr, emaDecay, share: 1 / (levels.length + 1) };
  const scales = [coarsest(config), ...levelsOf(config).map((level) => details(config, level))];
  const draw: Draw<WsgmChoice, WsgmAsked> = {
    choose: (asked) => chooseDrawing(config, asked),
    steps: (chosen) => drawSteps(config, chosen),
    describe: (chosen) => describeDrawing(config, chosen),
  };
  return {
    image,
    pyramid: {
      levels: levels.length,
      detailRms: levels.map(({ moments }) => rootMeanSquares(moments.detail)),
    },
    stages: scales.map((scale) => diffusionStage({ ...scale, ...process }, training)),
    draw,
  };
}

const rootMeanSquares = ({ mean, std }: Moments): readonly number[] =>
  mean.map((value, i) => Math.hypot(value, std[i]!));

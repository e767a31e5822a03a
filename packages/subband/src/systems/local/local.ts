/**
 * @module Local models as published (Kadkhodaie et al. 2023): a denoiser of the coarsest low-pass band and one of the
 * details of each level, trained apart; at 0 levels one flat denoiser of images.
 */
import type { NamedArray } from "onnxgrad";
import {
  type BfCnnConfig,
  conditionalConfig,
  flatConfig,
  initBfCnn,
  lowPassConfig,
} from "../../nn/bf-cnn.ts";
import { countParameters, SHAPES } from "../../nn/layers.ts";
import type { Arrays } from "../draw.ts";
import type { LocalConfig } from "./config.ts";
import {
  localModel,
  namedArrays,
  type PyramidModel,
  requirePyramid,
  takeBfCnn,
} from "../parts/local/model.ts";
import { localStage } from "../parts/local/stage.ts";
import { localDraw } from "../parts/local/draw.ts";
import { edmLowStage } from "../parts/local/low-pass-prior.ts";
import type { System } from "../system.ts";

/** One network of a configuration, and the band that it denoises. */
interface Member {
  /** Of its stage: `low`, or `details-j` with j = 1 at the finest level. */
  readonly name: string;
  readonly role: "low" | "details";
  readonly level: number;
  readonly network: BfCnnConfig;
  readonly noiseSteps: number;
}

/** The networks, from the low-pass band to the finest details. */
function members({
  channels,
  levels,
  receptiveField,
  features,
  noiseSteps,
  noisyCondition,
}: LocalConfig): readonly Member[] {
  const wide = (network: BfCnnConfig) => ({ ...network, width: features });
  const flat = levels === 0 ? flatConfig(channels, receptiveField) : lowPassConfig(channels);
  const details = Array.from({ length: levels }, (_, i): Member => {
    const level = levels - i;
    return {
      name: `details-${level}`,
      role: "details",
      level,
      network: wide(conditionalConfig(channels, receptiveField, noisyCondition)),
      noiseSteps: noiseSteps.details[level - 1]!,
    };
  });
  return [
    { name: "low", role: "low", level: levels, network: wide(flat), noiseSteps: noiseSteps.low },
    ...details,
  ];
}

/** The pyramid in the arrays of a checkpoint. @throws UserError `nn/bf-cnn`, `nn/not-finite`, `local/channels`. */
function modelOf(config: LocalConfig, arrays: Arrays): PyramidModel {
  const left = new Map(arrays);
  const [low, ...details] = members(config).map(({ name }) => takeBfCnn(left, name));
  return localModel(low!, details.reverse(), config.wavelet);
}

/** The inverse of {@link modelOf}, as far as the model goes. */
function arraysOf(config: LocalConfig, { low, details }: PyramidModel): Map<string, NamedArray> {
  const given = [low, ...details.toReversed()];
  const tree = Object.fromEntries(
    members(config).flatMap(({ name }, i) => (given[i] === undefined ? [] : [[name, given[i]]])),
  );
  return namedArrays(tree);
}

/** The system of a configuration. */
export function local(config: LocalConfig): System {
  const { channels, height, width, levels, wavelet, batch, lr, augmentConditions, noisyCondition, edmLow } =
    config;
  const image = { channels, height, width };
  const model = (arrays: Arrays) => modelOf(config, arrays);
  const detailNoise = config.noiseSteps.details.map((steps) => ((steps - 1) / 255) ** 2);
  const shape = { ...image, levels };
  // Published: each network sees images for a time that grows with its parameters, not with its band.
  const sizes = members(config).map(({ network }) => countParameters(initBfCnn(SHAPES, network)));
  const parameters = sizes.reduce((total, size) => total + size, 0);
  return {
    image,
    stages: [
      ...members(config).map((member, i) =>
        localStage({
          ...member,
          share: ((1 - (edmLow?.share ?? 0)) * sizes[i]!) / parameters,
          image,
          wavelet,
          batch,
          lr,
          rescale: member.role === "low",
          augmentConditions,
          noisyCondition,
        }),
      ),
      ...(edmLow === undefined ? [] : [edmLowStage(shape, edmLow)]),
    ],
    draw: localDraw({ channels, levels, hasDetails: levels > 0, image, prior: edmLow, detailNoise, model }),
    local: {
      ...{ detailNoise, prior: edmLow, model },
      arrays: (given) => arraysOf(config, requirePyramid(given, "preset local")),
    },
  };
}

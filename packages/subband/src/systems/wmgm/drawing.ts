/** @module How images of a `wmgm` are drawn: a sampler of the low band, and how much noise the details are made of. */
import { UserError } from "onnxgrad";
import { between, type Option } from "../options.ts";
import type { Draw, DrawAsked, DrawStep } from "../draw.ts";
import { DEFAULT_TEMPERATURE } from "./config.ts";
import { drawBySampler, type SamplerChoice } from "../parts/steps.ts";

/** Deviation of the noise that details are made of. */
export const TEMPERATURE: Option<number> = between(
  "--temperature <t>",
  `deviation of the noise that details are made of: 1 as in training, less for cleaner ones of more contrast (default: ${DEFAULT_TEMPERATURE})`,
  { least: 0, most: 2 },
);

/** How images are drawn. */
export interface WmgmChoice extends SamplerChoice {
  /** Absent from systems without details. */
  readonly temperature?: number;
}

/** What may be asked. */
export interface WmgmAsked extends DrawAsked {
  readonly temperature?: number | undefined;
}

/** The ability to draw by any sampler of the low band, as `usual` unless asked otherwise. */
export function drawAtTemperature(
  usual: WmgmChoice,
  steps: (chosen: WmgmChoice) => readonly DrawStep[],
): Draw<WmgmChoice, WmgmAsked> {
  const sampling = drawBySampler(usual, steps);
  return {
    choose({ temperature, ...asked }) {
      const chosen = sampling.choose(asked);
      if (usual.temperature !== undefined)
        return { ...chosen, temperature: temperature ?? usual.temperature };
      if (temperature === undefined) return chosen;
      throw new UserError(
        "config/option",
        "temperature: a system of 0 levels has no details to draw. Leave --temperature out.",
      );
    },
    steps,
    describe: ({ temperature, ...chosen }) => [
      ...sampling.describe(chosen),
      ...(temperature === undefined ? [] : [["temperature", String(temperature)] as const]),
    ],
  };
}

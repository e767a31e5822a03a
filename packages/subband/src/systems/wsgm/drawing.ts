/** @module How images of a `wsgm` are drawn: a sampler, its steps at each scale or in total, and where its times fall. */
import { UserError } from "onnxgrad";
import { samplerNamed } from "../../diffusion/samplers/samplers.ts";
import { requireSteps } from "../../diffusion/schedules/schedule.ts";
import { oneOf, type Option } from "../options.ts";
import type { DrawAsked, DrawChoice } from "../draw.ts";
import type { Times } from "../parts/processes.ts";
import type { WsgmConfig } from "./config.ts";

/** What the number of steps is of. */
export type StepsOf = "each" | "total";

/** Options of drawing that only a system of several diffusions has. */
export const SCALE_OPTIONS: { readonly stepsOf: Option<StepsOf>; readonly times: Option<Times> } = {
  stepsOf: oneOf("--steps-of <what>", "steps are of each scale, or in total (default: each)", [
    "each",
    "total",
  ]),
  times: oneOf("--times <spacing>", "of --formulation ou: uniform or quadratic (default: quadratic)", [
    "uniform",
    "quadratic",
  ]),
};

/** How images are drawn. */
export interface WsgmChoice extends DrawChoice {
  readonly steps: number;
  readonly stepsOf: StepsOf;
  /** Of the Ornstein-Uhlenbeck process; others have no choice. */
  readonly times: Times;
}

/** What may be asked. */
export interface WsgmAsked extends DrawAsked {
  readonly stepsOf?: StepsOf | undefined;
  readonly times?: Times | undefined;
}

/**
 * Fills in what was not asked for.
 * @throws UserError for what does not fit.
 */
export function chooseDrawing({ formulation, levels }: WsgmConfig, asked: WsgmAsked): WsgmChoice {
  const isReleased = formulation === "ou";
  const { sampler = isReleased ? "ddpm" : "dpmpp2m", stepsOf = "each", times } = asked;
  const scales = levels.length + 1;
  const each = isReleased ? 16 : 8;
  const { steps = stepsOf === "each" ? each : each * scales } = asked;
  samplerNamed(sampler);
  requireSteps(steps);
  if (stepsOf === "total" && steps < scales)
    throw new UserError(
      "diffusion/steps",
      `steps: ${steps} in total are fewer than ${scales} scales. Use --steps ${scales} or more, or --steps-of each.`,
    );
  if (times !== undefined && !isReleased)
    throw new UserError(
      "diffusion/times",
      `times: ${times}; only runs of --formulation ou have a choice, this is one of ${formulation}. Leave --times out.`,
    );
  return { sampler, steps, stepsOf, times: times ?? "quadratic" };
}

/** Steps of each of `scales` scales, the coarsest first: where they do not divide, the coarser ones have one more. */
export function stepsOfScales(
  { steps, stepsOf }: Pick<WsgmChoice, "steps" | "stepsOf">,
  scales: number,
): readonly number[] {
  return Array.from({ length: scales }, (_, i) =>
    stepsOf === "each" ? steps : Math.floor(steps / scales) + (i < steps % scales ? 1 : 0),
  );
}

/** Rows for people. */
export function describeDrawing(
  { formulation, levels }: WsgmConfig,
  chosen: WsgmChoice,
): readonly (readonly [what: string, how: string])[] {
  const steps = stepsOfScales(chosen, levels.length + 1);
  const times = formulation === "ou" ? `, ${chosen.times} times` : "";
  return [["sampler", `${chosen.sampler}, ${steps.join(" + ")} steps, the coarsest scale first${times}`]];
}

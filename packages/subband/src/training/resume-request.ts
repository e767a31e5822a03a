/**
 * @module What a command means for a run that exists: options that agree with it, or are left out, resume it; a larger
 * budget extends it; anything else would be a silent change and is refused.
 */
import { resolve } from "node:path";
import { UserError } from "onnxgrad";
import { pacesOf } from "../loop/budget.ts";
import { flagName } from "../systems/options.ts";
import { presetOptions } from "../systems/presets.ts";
import { type RunConfig, systemOf } from "./run-config.ts";
import { courseOfRun } from "./replay.ts";
import type { RunRecord } from "./run-directory.ts";
import type { TrainRequest } from "./train-run.ts";

/**
 * The configuration with which the run goes on: its own, with the larger budget where one is asked for.
 * @throws UserError `run/contradiction`, naming the option, what the run has and what was asked.
 */
export function resumedConfig(
  request: TrainRequest,
  { config, seed }: Pick<RunRecord<RunConfig>, "config" | "seed">,
): RunConfig {
  const { model, data, options } = config;
  const size = (of: { readonly height: number; readonly width: number } | undefined) =>
    of && `${of.width}x${of.height}`;
  // Either may have been typed in another working folder.
  const whole = (path: string | undefined) => path && resolve(path);
  const compared: readonly (readonly [option: string, asked: unknown, has: unknown])[] = [
    ["--preset", request.preset, config.preset],
    ["--size", size(request.size), size(model)],
    ["--channels", request.channels, model.channels],
    ...presetOptions("training").map(
      ({ key, option }) => [flagName(option), request.options?.[key], options[key] ?? "none"] as const,
    ),
    ["--from", whole(request.from), whole(config.from) ?? "none"],
    ["--seed", request.seed, seed],
    ["--patches", request.patches, data.patches ?? "whole pictures"],
    ["--limit", request.limit, data.limit ?? "all images"],
    ["--no-flip", request.flip, data.flip],
  ];
  for (const [option, asked, has] of compared)
    if (asked !== undefined && asked !== has)
      throw contradiction(request, option, `${String(has)}, not ${String(asked)}`);
  if (request.replay !== undefined) {
    const { stages } = systemOf(config);
    const { pace, rollbacks } = courseOfRun(request.replay, stages);
    if (JSON.stringify(pace) !== JSON.stringify(pacesOf(config)))
      throw contradiction(request, "--images", `another pace than run "${request.replay}"`);
    if (JSON.stringify(rollbacks) !== JSON.stringify(config.rollbacks))
      throw contradiction(request, "--images", `other roll-backs than run "${request.replay}"`);
  }
  return { ...config, ...extendedBudget(request, config) };
}

/**
 * The images that each stage is to see, or the minutes. Nothing is ever taken back: stages may be further already. How the
 * stages get there from where they are is the trainer's business.
 */
function extendedBudget(request: TrainRequest, config: RunConfig): Pick<RunConfig, "images" | "minutes"> {
  const { images, minutes } = config;
  if (request.images !== undefined) {
    const most = Math.max(0, ...Object.values(images));
    if (request.images < most)
      throw contradiction(request, "--images", `up to ${most} a stage, more than ${request.images}`);
    if (request.images === most && minutes === undefined) return { images };
    const stages = systemOf(config).stages.map(({ name }) => name);
    return {
      images: Object.fromEntries(stages.map((stage) => [stage, request.images!])),
      minutes: undefined,
    };
  }
  if (request.minutes === undefined || request.minutes === minutes) return { images, minutes };
  if (minutes === undefined)
    throw contradiction(request, "--minutes", "a budget of images; extend it with --images");
  if (request.minutes < minutes)
    throw contradiction(request, "--minutes", `${minutes}, more than ${request.minutes}`);
  return { images, minutes: request.minutes };
}

function contradiction({ out }: TrainRequest, option: string, what: string): UserError {
  return new UserError(
    "run/contradiction",
    `${option}: run "${out}" has ${what}. Leave the option out to go on with the run, or choose another --out.`,
  );
}

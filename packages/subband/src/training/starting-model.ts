/**
 * @module Begins the run of a denoiser with the weights of another: a model, or a run. What is not asked for follows from
 * it; what is learned and remembered is taken over, moments of the optimiser begin anew.
 */
import { invariant, type NamedArray, State, UserError } from "onnxgrad";
import { type Asked, flagName, listed, type Options } from "../systems/options.ts";
import type { LocalModel } from "../systems/parts/local/model.ts";
import { presets, presetOptions } from "../systems/presets.ts";
import type { System } from "../systems/system.ts";
import { loadModel } from "./model-file.ts";
import type { TrainRequest } from "./train-run.ts";

/**
 * The request with what follows from the model that it begins with, where it says nothing itself.
 * @throws UserError `train/from` when another preset was asked for; what `loadModel` throws.
 */
export async function withStartingModel(request: TrainRequest): Promise<TrainRequest> {
  if (request.from === undefined) return request;
  const { model } = await loadModel(request.from);
  const { preset, options } = impliedBy(model);
  if (request.preset !== undefined && request.preset !== preset)
    throw new UserError(
      "train/from",
      `--from: the model "${request.from}" is of preset ${preset}, not ${request.preset}. Leave out --preset, or ` +
        `begin with another model.`,
    );
  const asked = Object.entries(request.options ?? {}).filter(([, value]) => value !== undefined);
  return {
    ...request,
    preset,
    channels: request.channels ?? model.channels,
    options: { ...options, ...Object.fromEntries(asked) },
  };
}

/** The preset whose trainings can begin with `model`, and the options that follow from it. */
function impliedBy(model: LocalModel): { readonly preset: string; readonly options: Asked<Options> } {
  for (const preset of presets) {
    const options = preset.from?.(model);
    if (options !== undefined) return { preset: preset.name, options };
  }
  throw new UserError("train/from", `--from: no preset trains a ${model.kind} model. Update subband.`);
}

/**
 * The arrays with which the training of `system` begins, from the model at `from`; a stage that the model knows nothing of
 * begins as ever.
 * @throws UserError `train/from` when the model is of another architecture; what `loadModel` throws.
 */
export async function startingArrays(system: System, from: string): Promise<ReadonlyMap<string, NamedArray>> {
  const { local } = system;
  invariant(local, "a run that begins with a model is of a denoiser");
  const { model } = await loadModel(from);
  const given = local.arrays(model);
  for (const stage of system.stages) {
    const prefix = `${stage.name}.`;
    const theirs = [...given.keys()].filter((name) => name.startsWith(prefix));
    if (theirs.length === 0) continue;
    const own = new Map(
      [...new State(stage.layout()).tensors()].map(([name, array]) => [`${prefix}${name}`, array] as const),
    );
    for (const name of new Set([...own.keys(), ...theirs])) {
      if (name.startsWith(`${prefix}adam.`)) continue;
      const [here, there] = [own.get(name), given.get(name)].map(shown);
      if (here !== there)
        throw new UserError(
          "train/from",
          `--from: the model "${from}" does not fit stage "${stage.name}": ${name.slice(prefix.length)} is ${there} there, ` +
            `${here} here. Leave out ${followingFlags(model)}, which follow from the model.`,
        );
    }
  }
  return given;
}

function shown(array: NamedArray | undefined): string {
  return array ? `[${array.shape.join(",")}]` : "nothing";
}

/** The flags of what follows from a model: `--levels, --width and --rf`. */
function followingFlags(model: LocalModel): string {
  const { options } = impliedBy(model);
  const flags = presetOptions("training").flatMap(({ key, option }) =>
    key in options ? [flagName(option)] : [],
  );
  return listed(flags);
}

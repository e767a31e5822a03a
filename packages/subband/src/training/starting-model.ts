/**
 * @module Begins the run of a denoiser with the weights of another: a model, or a run. What is not asked for follows from
 * it; what is learned and remembered is taken over, moments of the optimiser begin anew.
 */
import { invariant, type NamedArray, State, type StateTree, UserError } from "onnxgrad";
import { type Asked, flagName, type Options } from "../systems/options.ts";
import type { LocalModel } from "../systems/parts/local/model.ts";
import { presets, trainingOptions } from "../systems/presets.ts";
import type { Stage } from "../systems/stage.ts";
import { isDenoising, type TrainedSystem } from "../systems/system.ts";
import { loadModel } from "./model-file.ts";
import type { TrainRequest } from "./train-run.ts";

/**
 * The request with what follows from the model that it begins with, where it says nothing itself.
 * @throws UserError `train/from` when another preset was asked for; what `loadModel` throws.
 */
export function withStartingModel(request: TrainRequest): TrainRequest {
  if (request.from === undefined) return request;
  const { model } = loadModel(request.from);
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
 * The stages of `system` for a run of this seed, beginning with the model at `from`; a stage that the model knows nothing of begins as ever.
 * @throws UserError `train/from` when the model is of another architecture; what `loadModel` throws.
 */
export function startingFrom(system: TrainedSystem, from: string, seed: number): readonly Stage[] {
  invariant(isDenoising(system), "a run that begins with a model is of a denoiser");
  const { model } = loadModel(from);
  const given = system.checkpoint(model);
  const followed = followingFlags(model);
  return system.stages.map((stage) => {
    const prefix = `${stage.name}.`;
    const own = new Map(
      [...given].flatMap(([name, array]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array] as const] : [],
      ),
    );
    if (own.size === 0) return stage;
    const begun = overlaid(stage.initialState(seed), own, { stage: stage.name, from, followed });
    return { ...stage, initialState: () => begun };
  });
}

/** The flags of what follows from a model: `--levels, --width and --rf`. */
function followingFlags(model: LocalModel): string {
  const { options } = impliedBy(model);
  const flags = trainingOptions().flatMap(({ key, option }) => (key in options ? [flagName(option)] : []));
  return `${flags.slice(0, -1).join(", ")} and ${flags.at(-1)!}`;
}

/** What of a stage's state is the optimiser's own. */
const ANEW = /^adam\./;

function overlaid(
  tree: StateTree,
  given: ReadonlyMap<string, NamedArray>,
  { stage, from, followed }: { readonly stage: string; readonly from: string; readonly followed: string },
): StateTree {
  const state = new State(tree);
  const shown = (array: NamedArray | undefined) => (array ? `[${array.shape.join(",")}]` : "nothing");
  const names = new Set([...state.tensors().keys(), ...given.keys()]);
  for (const name of names) {
    if (ANEW.test(name)) continue;
    const [own, other] = [state.tensors().get(name), given.get(name)];
    if (shown(own) !== shown(other))
      throw new UserError(
        "train/from",
        `--from: the model "${from}" does not fit stage "${stage}": ${name} is ${shown(other)} there, ${shown(own)} here. ` +
          `Leave out ${followed}, which follow from the model.`,
      );
    own!.data.set(other!.data);
  }
  return state.tree();
}

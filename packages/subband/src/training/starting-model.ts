/**
 * @module Begins the run of a denoiser with the weights of another: a model, or a run. What is not asked for follows from
 * it; what is learned and remembered is taken over, moments of the optimiser begin anew.
 */
import { invariant, type NamedArray, State, type StateTree, UserError } from "onnxgrad";
import { bandUnetConfigOf } from "../nn/band-unet.ts";
import { hasNoisyCondition, levelsOf, type LocalModel, summarise } from "../systems/parts/local/model.ts";
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
  const implied = impliedBy(loadModel(request.from).model);
  if (request.preset !== undefined && request.preset !== implied.preset)
    throw new UserError(
      "train/from",
      `--from: the model "${request.from}" is of preset ${implied.preset}, not ${request.preset}. Leave out --preset, or ` +
        `begin with another model.`,
    );
  const asked = Object.entries(request).filter(([, value]) => value !== undefined);
  return { ...implied, ...(Object.fromEntries(asked) as typeof request) };
}

function impliedBy(model: LocalModel): Partial<TrainRequest> {
  const { channels } = model;
  const levels = levelsOf(model);
  // A flat model has no wavelet.
  const common = { channels, levels, wavelet: levels === 0 ? undefined : model.wavelet };
  if (model.kind === "unet")
    return { ...common, preset: "local-unet", width: bandUnetConfigOf(model.network).widths[0]! };
  const { width, receptiveField } = summarise(model).at(-1)!;
  return { ...common, preset: "local", width, receptiveField, noisyCondition: hasNoisyCondition(model) };
}

/**
 * The stages of `system` for a run of this seed, beginning with the model at `from`; a stage that the model knows nothing of begins as ever.
 * @throws UserError `train/from` when the model is of another architecture; what `loadModel` throws.
 */
export function startingFrom(system: TrainedSystem, from: string, seed: number): readonly Stage[] {
  invariant(isDenoising(system), "a run that begins with a model is of a denoiser");
  const given = system.checkpoint(loadModel(from).model);
  return system.stages.map((stage) => {
    const prefix = `${stage.name}.`;
    const own = new Map(
      [...given].flatMap(([name, array]) =>
        name.startsWith(prefix) ? [[name.slice(prefix.length), array] as const] : [],
      ),
    );
    if (own.size === 0) return stage;
    const begun = overlaid(stage.initialState(seed), own, stage.name, from);
    return { ...stage, initialState: () => begun };
  });
}

/** What of a stage's state is the optimiser's own. */
const ANEW = /^adam\./;

function overlaid(
  tree: StateTree,
  given: ReadonlyMap<string, NamedArray>,
  stage: string,
  from: string,
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
          `Leave out --levels, --rf, --width and --noisy-condition, which follow from the model.`,
      );
    own!.data.set(other!.data);
  }
  return state.tree();
}

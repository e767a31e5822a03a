/** @module Opens what images can be drawn from: a run of any system, or the file of a local model. */
import { UserError } from "onnxgrad";
import type { Arrays, Draw } from "../systems/draw.ts";
import type { Options } from "../systems/options.ts";
import { LOCAL_DRAWING, localDraw } from "../systems/parts/local/draw.ts";
import { levelsOf } from "../systems/parts/local/model.ts";
import { presetNamed } from "../systems/presets.ts";
import type { System } from "../systems/system.ts";
import { type WeightsName, weightsNamed } from "../loop/weights.ts";
import { loadRun, type LoadedRun } from "./load-run.ts";
import { isModel, loadModel } from "./model-file.ts";
import { type RunConfig, systemOf } from "./run-config.ts";
import { isRun } from "./run-directory.ts";

/** What images can be drawn from. */
export interface Drawable {
  /** For people: `preset wmgm`, `a local model`. */
  readonly owner: string;
  /** The options that {@link Draw.choose} takes. */
  readonly options: Options;
  readonly draw: Draw;
  /** Of the checkpoint; none for a model file, whose arrays its draw has. */
  readonly arrays: Arrays;
  readonly weights: WeightsName;
  /** Where the best weights of each stage stood, as far as there are any. */
  readonly best: LoadedRun["best"];
  readonly warning: string | undefined;
  /** What a run is of; absent for a model file. */
  readonly run?: { readonly config: RunConfig; readonly system: System };
}

/** A run, opened. */
export type DrawableRun = Drawable & Required<Pick<Drawable, "run">>;

/**
 * Opens the run at `path`; `weights` tells its last from its best.
 * @throws UserError what `loadRun` throws; `unknown/weights`.
 */
export async function openRun(path: string, weights: string = "last"): Promise<DrawableRun> {
  const name = weightsNamed(weights);
  const { config, tensors, best, warning } = await loadRun(path, name);
  const system = systemOf(config);
  const { drawing } = presetNamed(config.preset);
  return {
    ...{ owner: `preset ${config.preset}`, options: drawing, draw: system.draw, arrays: tensors },
    ...{ weights: name, best, warning, run: { config, system } },
  };
}

/**
 * Opens the run or the model at `path`; `weights` tells the last of a run from the best.
 * @throws UserError `sample/option` when weights are asked of a model; what {@link openRun} and `loadModel` throw.
 */
export async function openDrawable(path: string, weights: string | undefined): Promise<Drawable> {
  if (isRun(path) || !isModel(path)) return openRun(path, weights);
  const { model } = await loadModel(path);
  if (weights !== undefined)
    throw new UserError(
      "sample/option",
      `--weights: "${path}" is a model, which has but one set. Leave it out.`,
    );
  const hasDetails = model.kind === "pyramid" && model.details.length > 0;
  const draw = localDraw({
    channels: model.channels,
    levels: levelsOf(model),
    hasDetails,
    model: () => model,
  });
  return {
    ...{ owner: "a local model", options: LOCAL_DRAWING, draw, arrays: new Map() },
    ...{ weights: "last", best: {}, warning: undefined },
  };
}

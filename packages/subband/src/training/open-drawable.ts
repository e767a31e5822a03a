/** @module Opens what images can be drawn from: a run of any system, or the file of a local model. */
import { UserError } from "onnxgrad";
import type { Arrays, Draw } from "../systems/draw.ts";
import { localDraw } from "../systems/parts/local/draw.ts";
import { levelsOf } from "../systems/parts/local/model.ts";
import { loadRun, type LoadedRun } from "./load-run.ts";
import { isModel, loadModel } from "./model-file.ts";
import { systemOf } from "./run-config.ts";
import { isRun } from "./run-directory.ts";
import { type WeightsName, weightsNamed } from "../loop/weights.ts";

/** What images can be drawn from. */
export interface Drawable {
  readonly draw: Draw;
  /** Of the checkpoint; none for a model file, whose arrays its draw has. */
  readonly arrays: Arrays;
  readonly weights: WeightsName;
  /** Where the best weights of each stage stood, as far as there are any. */
  readonly best: LoadedRun["best"];
  readonly warning: string | undefined;
  readonly isRun: boolean;
}

/**
 * Opens the run or the model at `path`; `weights` tells the last of a run from the best.
 * @throws UserError `sample/option` when weights are asked of a model; what `loadRun` and `loadModel` throw.
 */
export function openDrawable(path: string, weights: string | undefined): Drawable {
  const name = weightsNamed(weights ?? "last");
  if (isRun(path) || !isModel(path)) {
    const { config, tensors, best, warning } = loadRun(path, name);
    return { draw: systemOf(config).draw, arrays: tensors, weights: name, best, warning, isRun: true };
  }
  const { model } = loadModel(path);
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
  return { draw, arrays: new Map(), weights: "last", best: {}, warning: undefined, isRun: false };
}

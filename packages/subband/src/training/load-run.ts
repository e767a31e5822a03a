/** @module Opens a trained run for use: its configuration and the arrays of its newest good checkpoint. */
import { type NamedArray, UserError } from "onnxgrad";
import { loadCheckpoint } from "./checkpoint.ts";
import type { RunConfig } from "./run-config.ts";
import { readRunFile } from "./run-file.ts";
import type { BestMoment } from "../loop/progress.ts";
import { bestMoments, chooseWeights, type WeightsName } from "../loop/weights.ts";

/** A trained run. */
export interface LoadedRun {
  readonly config: RunConfig;
  readonly seed: number;
  /** Arrays by name, the chosen weights under each stage's own name. */
  readonly tensors: ReadonlyMap<string, NamedArray>;
  readonly weights: WeightsName;
  /** Where the best weights of each stage stood, as far as there are any. */
  readonly best: Readonly<Record<string, BestMoment>>;
  /** The checkpoint's name, and its size. */
  readonly file: string;
  readonly bytes: number;
  /** One line for the user when a damaged checkpoint was passed over. */
  readonly warning: string | undefined;
}

/**
 * Opens the run directory `dir`, with its last or its best weights.
 * @throws UserError `run/...`, `checkpoint/...`; `run/untrained` when nothing has been saved yet, `run/no-best` when the
 * best weights are asked for and there are none.
 */
export async function loadRun(dir: string, weights: WeightsName = "last"): Promise<LoadedRun> {
  const { config, seed } = readRunFile(dir);
  const checkpoint = await loadCheckpoint(dir);
  if (checkpoint === undefined)
    throw new UserError(
      "run/untrained",
      `nothing saved yet: run "${dir}" has no checkpoint. Train it first: subband train --out ${dir}`,
    );
  const { tensors, metadata, file, bytes, warning } = checkpoint;
  return {
    config,
    seed,
    tensors: chooseWeights(tensors, weights, dir),
    weights,
    best: bestMoments(metadata),
    file,
    bytes,
    warning,
  };
}

/** @module Opens a trained run for use: its configuration and the arrays of its newest good checkpoint. */
import { type NamedArray, UserError } from "onnxgrad";
import { loadCheckpoint } from "./checkpoint.ts";
import { RunConfig } from "./run-config.ts";
import { readRun } from "./run-directory.ts";

/** A trained run. */
export interface LoadedRun {
  readonly config: RunConfig;
  readonly seed: number;
  readonly tensors: ReadonlyMap<string, NamedArray>;
  /** One line for the user when a damaged checkpoint was passed over. */
  readonly warning: string | undefined;
}

/**
 * Opens the run directory `dir`.
 * @throws UserError `run/...`, `checkpoint/...`; `run/untrained` when nothing has been saved yet.
 */
export function loadRun(dir: string): LoadedRun {
  const { config, seed } = readRun(dir, RunConfig);
  const checkpoint = loadCheckpoint(dir);
  if (checkpoint === undefined)
    throw new UserError(
      "run/untrained",
      `nothing saved yet: run "${dir}" has no checkpoint. Train it first: subband train --out ${dir}`,
    );
  return { config, seed, tensors: checkpoint.tensors, warning: checkpoint.warning };
}

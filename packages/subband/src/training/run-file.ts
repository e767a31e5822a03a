/** @module Reads the `run.json` of a training, of any format. */
import { RunConfig1 } from "./format-1.ts";
import { RunConfig } from "./run-config.ts";
import { readRun, type RunRecord } from "./run-directory.ts";

/**
 * What `run.json` in the folder `dir` says.
 * @throws UserError `run/missing`, `run/not-a-run`, `run/newer-format` or `run/invalid`, naming the field.
 *
 * @example
 * const { config, seed } = readRunFile("runs/faces");
 */
export function readRunFile(dir: string): RunRecord<RunConfig> {
  return readRun(dir, { 1: RunConfig1, 2: RunConfig });
}

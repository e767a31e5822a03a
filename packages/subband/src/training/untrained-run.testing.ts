/** @module For tests: run directories that look trained without training. */
import { untrainedTensors } from "../systems/parts/untrained-tensors.testing.ts";
import { saveCheckpoint } from "./checkpoint.ts";
import { type RunConfig, systemOf } from "./run-config.ts";
import { openRunForTraining, writeRun } from "./run-directory.ts";
import { versions } from "./versions.ts";

/** Makes the run directory `dir` of a configuration, with a checkpoint. */
export function writeUntrainedRun(dir: string, config: RunConfig): void {
  const lock = openRunForTraining(dir);
  try {
    writeRun(dir, { versions: { ...versions() }, seed: 1, imagesSeen: {}, config });
    saveCheckpoint(dir, { tensors: untrainedTensors(systemOf(config)), metadata: {} });
  } finally {
    lock.release();
  }
}

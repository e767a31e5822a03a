/**
 * @module For tests: runs that look trained without training. Every averaged parameter is moved from its initial value,
 * since many layers start as zero and would hide what comes before them.
 */
import { type NamedArray, rng, State } from "onnxgrad";
import type { System } from "../systems/system.ts";
import { saveCheckpoint } from "./checkpoint.ts";
import { type RunConfig, systemOf } from "./run-config.ts";
import { openRunForTraining, writeRun } from "./run-directory.ts";
import { versions } from "./versions.ts";

/** The arrays of a checkpoint of `system`; `spread` is the standard deviation of what is added to averages. */
export function untrainedTensors(system: System, spread = 0.05): Map<string, NamedArray> {
  const tensors = new Map<string, NamedArray>();
  for (const stage of system.stages)
    for (const [name, { shape, data }] of new State(stage.initialState(1)).tensors()) {
      const random = rng(1, `untrained-${stage.name}.${name}`);
      const moved = name.startsWith("average.")
        ? data.map((value) => value + spread * random.normal())
        : data;
      tensors.set(`${stage.name}.${name}`, { shape, data: moved });
    }
  return tensors;
}

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

/**
 * @module For tests: checkpoints that look trained without training. Every averaged parameter is moved from its initial
 * value, since many layers start as zero and would hide what comes before them.
 */
import { type NamedArray, rng, State } from "onnxgrad";
import type { System } from "../system.ts";

/** The arrays of a checkpoint of `system`; `spread` is the standard deviation of what is added to averages. */
export function untrainedTensors(system: System, spread = 0.05): Map<string, NamedArray> {
  const tensors = new Map<string, NamedArray>();
  for (const stage of system.stages)
    for (const [name, { shape, data }] of new State(stage.begin({ seed: 1, arrays: new Map() })).tensors()) {
      const random = rng(1, `untrained-${stage.name}.${name}`);
      const moved = name.startsWith("average.")
        ? data.map((value) => value + spread * random.normal())
        : data;
      tensors.set(`${stage.name}.${name}`, { shape, data: moved });
    }
  return tensors;
}

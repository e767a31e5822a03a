/**
 * @module Bench: drawing images with the default sampler and steps, details included, at batch 1 and 64. Weights are
 * untrained: time does not depend on them. Compilation is stated apart, since a program pays it once.
 */
import { State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { sampleImages } from "../packages/subband/src/systems/sampling.ts";
import { wmgm } from "../packages/subband/src/systems/wmgm/wmgm.ts";
import { DEFAULT_PRESET } from "../packages/subband/src/systems/presets.ts";
import { type Bench, inProcess, interleave } from "./harness.ts";
import { benchConfig } from "./training-step.ts";

const CASES: readonly [size: number, batch: number][] = [
  [32, 1],
  [32, 64],
  [64, 1],
  [64, 64],
];

const SAMPLING = DEFAULT_PRESET.sampling!;

export const samplingBench: Bench = {
  name: "sampling",
  summary: `the default wmgm with ${SAMPLING.sampler}, ${SAMPLING.steps} steps and details`,
  async run(report, { turns, threads }) {
    for (const [size, batch] of CASES) {
      const system = wmgm(benchConfig(size));
      const checkpoint = new Map(
        system.stages.flatMap((stage) =>
          [...new State(stage.initialState(1)).tensors()].map(
            ([name, array]) => [`${stage.name}.${name}`, array] as const,
          ),
        ),
      );
      const started = performance.now();
      const sampler = await system.createSampler(node({ threads }), checkpoint, batch);
      const compileMs = performance.now() - started;
      const draw = () =>
        sampleImages(system, sampler, {
          seed: 1,
          count: batch,
          ...SAMPLING,
        });
      const { nfeLow, nfeDetail } = await draw();
      const { ours, notes } = await interleave(inProcess(draw), undefined, {
        turns,
        repeats: batch === 1 ? 10 : 2,
      });
      await sampler.dispose();
      report({
        bench: "sampling",
        name: `${size} x ${size}, batch ${batch}`,
        ...(ours === undefined ? {} : { ours }),
        notes: [
          `${(ours!.median / batch).toFixed(2)} ms/image (best ${(ours!.best / batch).toFixed(2)}), NFE ${nfeLow} + ${nfeDetail}, ${threads} threads`,
          `compiled in ${compileMs.toFixed(0)} ms`,
          ...notes,
        ],
      });
    }
    return undefined;
  },
};

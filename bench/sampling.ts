/**
 * @module Bench: drawing images with the default sampler and steps, details included, at batch 1 and 64. Weights are
 * untrained: time does not depend on them. Compilation is stated apart, since a program pays it once.
 */
import { State } from "onnxgrad";
import { node } from "onnxgrad/node";
import { compileDraw } from "../packages/subband/src/drawing/compile-draw.ts";
import { wmgm } from "../packages/subband/src/systems/wmgm/wmgm.ts";
import { type Bench, inProcess, interleave } from "./harness.ts";
import { benchConfig } from "./training-step.ts";

const CASES: readonly [size: number, batch: number][] = [
  [32, 1],
  [32, 64],
  [64, 1],
  [64, 64],
];

export const samplingBench: Bench = {
  name: "sampling",
  summary: "the default wmgm with its usual sampler and steps, details included",
  async run(report, { turns, threads }) {
    for (const [size, batch] of CASES) {
      const system = wmgm(benchConfig(size));
      const checkpoint = new Map(
        system.stages.flatMap((stage) =>
          [...new State(stage.begin({ seed: 1, arrays: new Map() })).tensors()].map(
            ([name, array]) => [`${stage.name}.${name}`, array] as const,
          ),
        ),
      );
      const started = performance.now();
      const chain = system.draw.steps(system.draw.choose({}));
      const drawing = await compileDraw(node({ threads }), chain, checkpoint, batch);
      const compileMs = performance.now() - started;
      const draw = () => drawing.run({ seed: 1, count: batch });
      const { calls } = await draw();
      const { ours, notes } = await interleave(inProcess(draw), undefined, {
        turns,
        repeats: batch === 1 ? 10 : 2,
      });
      await drawing.dispose();
      report({
        bench: "sampling",
        name: `${size} x ${size}, batch ${batch}`,
        ...(ours === undefined ? {} : { ours }),
        notes: [
          `${(ours!.median / batch).toFixed(2)} ms/image (best ${(ours!.best / batch).toFixed(2)}), NFE ${calls.join(" + ")}, ${threads} threads`,
          `compiled in ${compileMs.toFixed(0)} ms`,
          ...notes,
        ],
      });
    }
    return undefined;
  },
};

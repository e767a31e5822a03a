import { GraphError, scalar, type Tensor } from "onnxgrad";
import { node } from "onnxgrad/node";
import { expect, test } from "vitest";
import { createDataset } from "../data/dataset.ts";
import { conv } from "../nn/layers.ts";
import type { Stage } from "../systems/stage.ts";
import { StageRunner } from "./stage-runner.ts";

const dataset = createDataset({
  ...{ name: "grey", licence: "none", credit: "none", fingerprint: "grey", skipped: {} },
  ...{ channels: 1, height: 2, width: 2, pixels: new Uint8Array(8) },
});

/** A stage whose network takes three channels, where the images have one. */
const stage: Stage = {
  ...{ name: "low", share: 1, batch: 1, networks: {} },
  layout: () => ({ w: scalar(0) }),
  begin: () => ({ w: scalar(0) }),
  programs: {
    step: {
      inputs: { pixels: [1, 1, 2, 2], weight: [1, 3, 1, 1], bias: [1] },
      build: ({ pixels, weight, bias }: Readonly<Record<string, Tensor>>) => ({
        y: conv({ weight: weight!, bias: bias! }, pixels!),
      }),
    },
  },
  select: () => "step",
  feeds: () => ({}),
};

test("a mistake in a program of a stage is told by the stage's name", async () => {
  const runner = new StageRunner(stage, { backend: node(), dataset, seed: 1, flip: false });
  runner.begin(new Map());
  const failed = runner.program("step");
  await expect(failed).rejects.toThrow(GraphError);
  await expect(failed).rejects.toThrow(/^conv2d at low: input has 1 channels but the weight takes 3/);
});

/** @module Cases of normalisations, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f, POSITIVE } from "../testing/case-inputs.ts";
import { apply, type Tensor } from "../trace/tensor.ts";
import {
  batchNormInference,
  batchNormTraining,
  groupNorm,
  layerNorm,
  standardize,
  standardizeOp,
} from "./normalization.ts";

const affine = [f([4], POSITIVE), f([4])] as const;

export const normalizationCases: CaseTable = {
  standardize: [
    { name: "[3,5]", inputs: [f([3, 5])], build: (x) => standardize(x) },
    { name: "[2,2,4], large epsilon", inputs: [f([2, 2, 4])], build: (x) => standardize(x, 0.1) },
    {
      name: "all three outputs",
      inputs: [f([2, 4])],
      build: (x) => apply(standardizeOp, [x], { epsilon: 1e-3 }),
    },
  ],
  layerNorm: [
    { name: "plain", inputs: [f([3, 4])], build: (x) => layerNorm(x) },
    {
      name: "affine",
      inputs: [f([2, 3, 4]), ...affine],
      build: (x, scale, shift) => layerNorm(x, { scale: scale!, shift: shift! }),
    },
  ],
  groupNorm: [
    {
      name: "2 groups",
      inputs: [f([2, 4, 2, 2]), ...affine],
      build: (x, scale, shift) => groupNorm(x, 2, { scale: scale!, shift: shift! }),
    },
    {
      name: "scale and shift of each sample",
      inputs: [f([2, 4, 2, 2]), f([2, 4], POSITIVE), f([2, 4])],
      build: (x, scale, shift) => groupNorm(x, 2, { scale: scale!, shift: shift! }),
    },
    { name: "one group", inputs: [f([1, 2, 2, 3])], build: (x) => groupNorm(x, 1) },
    { name: "instance", inputs: [f([2, 2, 2, 3])], build: (x) => groupNorm(x, 2, undefined, 1e-2) },
  ],
  batchNormTraining: [
    {
      name: "with statistics",
      inputs: [f([2, 4, 2, 2]), ...affine],
      build: (x, scale, shift) =>
        Object.values(batchNormTraining(x, { scale: scale!, shift: shift! })) as Tensor[],
    },
  ],
  batchNormInference: [
    {
      name: "running statistics",
      inputs: [f([2, 4, 2, 2]), ...affine, f([4]), f([4], POSITIVE)],
      build: (x, scale, shift, m, v) =>
        batchNormInference(x, { scale: scale!, shift: shift! }, { mean: m!, variance: v! }),
    },
  ],
};

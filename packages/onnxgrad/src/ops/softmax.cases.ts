/** @module Cases of softmax and what is made of it, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { logSumExp, scaledDotProductAttention, softmax } from "./softmax.ts";

export const softmaxCases: CaseTable = {
  softmax: [
    { name: "[2,4]", inputs: [f([2, 4])], build: softmax },
    { name: "[2,3,2]", inputs: [f([2, 3, 2])], build: softmax },
    { name: "large values", inputs: [f([2, 3], [-80, 80])], build: softmax, secondOrder: false },
  ],
  logSumExp: [
    { name: "[3,4]", inputs: [f([3, 4])], build: logSumExp },
    { name: "large values", inputs: [f([2, 3], [80, 120])], build: logSumExp, secondOrder: false },
  ],
  scaledDotProductAttention: [
    { name: "2-D", inputs: [f([3, 2]), f([4, 2]), f([4, 3])], build: scaledDotProductAttention },
    {
      name: "two heads",
      inputs: [f([2, 2, 3]), f([2, 3, 3]), f([2, 3, 2])],
      build: scaledDotProductAttention,
    },
  ],
};

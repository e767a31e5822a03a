/** @module Cases of the norm, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { mul } from "./arithmetic.ts";
import { norm } from "./norm.ts";

export const normCases: CaseTable = {
  norm: [
    { name: "[2,3]", inputs: [f([2, 3])], build: norm },
    { name: "scalar", inputs: [f([])], build: norm },
    {
      name: "squares beyond float32",
      inputs: [f([7], [0.5, 2])],
      build: (x) => mul(norm(mul(x, 1e25)), 1e-25),
      secondOrder: false,
    },
    {
      name: "squares below float32",
      inputs: [f([7], [0.5, 2])],
      build: (x) => mul(norm(mul(x, 1e-25)), 1e25),
      secondOrder: false,
    },
  ],
};

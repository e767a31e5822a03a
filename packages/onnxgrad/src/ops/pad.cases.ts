/** @module Cases of padding, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { padReflect, padZero } from "./pad.ts";

export const padCases: CaseTable = {
  padZero: [
    {
      name: "all sides",
      inputs: [f([1, 2, 3])],
      build: (x) =>
        square(
          padZero(x, [
            [0, 0],
            [1, 2],
            [2, 1],
          ]),
        ),
    },
  ],
  padReflect: [
    {
      name: "both axes",
      inputs: [f([1, 3, 4])],
      build: (x) =>
        padReflect(x, [
          [0, 0],
          [2, 1],
          [1, 3],
        ]),
    },
    { name: "one side", inputs: [f([4])], build: (x) => square(padReflect(x, [[0, 3]])) },
  ],
};

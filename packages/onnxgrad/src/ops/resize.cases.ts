/** @module Cases of bilinear resizing, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { resizeBilinear2d } from "./resize.ts";

export const resizeCases: CaseTable = {
  resizeBilinear2d: [
    { name: "up, half-pixel centres", inputs: [f([1, 2, 3, 4])], build: (x) => resizeBilinear2d(x, 5, 8) },
    { name: "down, half-pixel centres", inputs: [f([1, 1, 5, 6])], build: (x) => resizeBilinear2d(x, 2, 4) },
    {
      name: "72 pixels, direction by direction",
      inputs: [f([1, 1, 9, 8])],
      build: (x) => resizeBilinear2d(x, 4, 9),
    },
    {
      name: "up, corners aligned",
      inputs: [f([1, 2, 3, 4])],
      build: (x) => resizeBilinear2d(x, 5, 7, { alignCorners: true }),
    },
    {
      name: "down to one row, corners aligned",
      inputs: [f([1, 1, 4, 5])],
      build: (x) => resizeBilinear2d(x, 1, 3, { alignCorners: true }),
    },
  ],
};

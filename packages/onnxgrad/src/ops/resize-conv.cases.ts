/** @module Cases of convolution of resized features, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { resizeConv2d } from "./resize-conv.ts";

export const resizeConvCases: CaseTable = {
  resizeConv2d: [
    {
      name: "up, same padding, bias",
      inputs: [f([2, 8, 3, 2]), f([2, 8, 3, 3]), f([2])],
      build: (x, w, bias) => resizeConv2d(x, w, 6, 4, { padding: 1, bias }),
    },
    {
      name: "up, kernel 2 x 3, corners aligned",
      inputs: [f([1, 9, 2, 3]), f([2, 9, 2, 3])],
      build: (x, w) => resizeConv2d(x, w, 5, 7, { padding: [0, 1], alignCorners: true }),
    },
    {
      name: "up, 1 x 1, bias",
      inputs: [f([1, 3, 2, 3]), f([2, 3, 1, 1]), f([2])],
      build: (x, w, bias) => resizeConv2d(x, w, 4, 6, { bias }),
    },
    {
      name: "up, 1 x 1, padded",
      inputs: [f([1, 9, 2, 2]), f([2, 9, 1, 1])],
      build: (x, w) => resizeConv2d(x, w, 4, 4, { padding: 1 }),
    },
    {
      name: "down",
      inputs: [f([1, 2, 5, 4]), f([2, 2, 3, 3])],
      build: (x, w) => resizeConv2d(x, w, 3, 3, { padding: 1 }),
    },
  ],
};

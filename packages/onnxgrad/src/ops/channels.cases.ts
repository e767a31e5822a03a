/** @module Cases of statistics and affine maps of channels, for the op table (testing/op-cases.ts). */
import type { CaseTable } from "../testing/case-graph.ts";
import { f } from "../testing/case-inputs.ts";
import { square } from "./arithmetic.ts";
import { channelAffine, channelMoments } from "./channels.ts";

export const channelsCases: CaseTable = {
  channelMoments: [
    { name: "both", inputs: [f([2, 3, 2, 2])], build: (x) => Object.values(channelMoments(x)) },
    { name: "mean alone", inputs: [f([2, 3, 2, 2])], build: (x) => square(channelMoments(x).mean) },
    { name: "variance alone", inputs: [f([2, 3, 2, 2])], build: (x) => square(channelMoments(x).variance) },
    {
      name: "variance far from zero",
      inputs: [f([2, 2, 3, 3], [99, 101])],
      build: (x) => channelMoments(x).variance,
      secondOrder: false,
    },
  ],
  channelAffine: [
    { name: "3 channels", inputs: [f([2, 3, 2, 2]), f([3]), f([3])], build: channelAffine },
    {
      name: "1 channel, twice",
      inputs: [f([3, 1, 1, 2]), f([1]), f([1])],
      build: (x, scale, shift) => channelAffine(channelAffine(x, scale!, shift!), scale!, shift!),
    },
  ],
};

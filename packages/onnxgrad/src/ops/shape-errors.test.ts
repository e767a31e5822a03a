import { describe, expect, test } from "vitest";
import { GraphError } from "../errors.ts";
import { gradients } from "../grad/gradients.ts";
import { ndarray } from "../trace/ndarray.ts";
import { scope } from "../trace/scope.ts";
import type { DType, Shape, Tensor } from "../trace/tensor.ts";
import { add, mul } from "./arithmetic.ts";
import { broadcastTo, sum } from "./sum.ts";
import { greater, oneHot, where } from "./compare.ts";
import { conv2d, convTranspose2d } from "./conv.ts";
import { exp } from "./elementary.ts";
import { gather } from "./gather.ts";
import { matmul } from "./matmul.ts";
import { affineChannels, groupNorm, layerNorm, standardize } from "./normalization.ts";
import { avgPool2d, maxPool2d, upsampleNearest2d } from "./pool.ts";
import { reshape, transpose } from "./reshape.ts";
import { resizeBilinear2d } from "./resize.ts";
import { resizeConv2d } from "./resize-conv.ts";
import { concat, split } from "./concat.ts";
import { padReflect, padZero } from "./pad.ts";
import { slice, sliceRanges, unslice } from "./slice.ts";
import { softmax } from "./softmax.ts";
import { constant, input } from "./source.ts";

const t = (shape: Shape, dtype: DType = "float32"): Tensor => input("t", shape, dtype);

/** [the call, what its message must contain: operation, problem, shapes, remedy]. */
const WRONG: readonly (readonly [name: string, make: () => unknown, ...parts: string[]])[] = [
  [
    "broadcasting",
    () => add(t([2, 3]), t([2, 4])),
    "add at net.head: cannot broadcast 3 with 4",
    "[2,3] and [2,4]",
    "reshape() and broadcastTo()",
  ],
  ["three operands", () => where(greater(t([2]), 0), t([3]), 1), "where", "[2] and [3] and []"],
  [
    "a float operation on integers",
    () => mul(t([2]), t([2], "int64")),
    "mul",
    "takes float32",
    "[2] and int64[2]",
    "cast()",
  ],
  ["a float function of integers", () => exp(t([2], "int64")), "exp", "int64[2]", "cast()"],
  [
    "different types compared",
    () => greater(t([2]), t([2], "int64")),
    "greater",
    "[2] and int64[2]",
    "cast()",
  ],
  ["a float condition", () => where(t([2]), 1, 0), "where", "bool condition", "greater(x, 0)"],
  ["float labels", () => oneHot(t([2]), 3), "oneHot", "int64 labels", 'cast(x, "int64")'],
  ["float indices", () => gather(t([2, 3]), t([4])), "gather", "[2,3] and [4]", 'cast(i, "int64")'],
  ["a table without rows", () => gather(t([]), t([4], "int64")), "gather", "no rows", "[rows, ...]"],
  [
    "inner dimensions",
    () => matmul(t([2, 3]), t([4, 5])),
    "matmul",
    "inner dimensions 3 and 4 differ",
    "[2,3] and [4,5]",
    "Transpose one",
  ],
  [
    "batches",
    () => matmul(t([2, 1, 3]), t([4, 3, 5])),
    "matmul",
    "cannot broadcast 2 with 4",
    "[2,1,3] and [4,3,5]",
  ],
  [
    "a vector in a matrix product",
    () => matmul(t([3]), t([3, 2])),
    "matmul",
    "at least two dimensions",
    "[3] and [3,2]",
  ],
  [
    "channels of a convolution",
    () => conv2d(t([1, 3, 8, 8]), t([4, 2, 3, 3])),
    "conv2d",
    "input has 3 channels but the weight takes 2",
    "[1,3,8,8] and [4,2,3,3]",
    "groups",
  ],
  ["rank of a convolution", () => conv2d(t([3, 8, 8]), t([4, 3, 3, 3])), "conv2d", "[n,c,h,w]", "[3,8,8]"],
  [
    "groups of a convolution",
    () => conv2d(t([1, 4, 8, 8]), t([3, 2, 3, 3]), { groups: 2 }),
    "conv2d",
    "3 output channels",
    "groups 2",
  ],
  [
    "a kernel that does not fit",
    () => conv2d(t([1, 1, 2, 2]), t([1, 1, 5, 5])),
    "conv2d",
    "kernel 5x5 does not fit 2x2",
    "Pad the input",
  ],
  [
    "stride 0",
    () => conv2d(t([1, 1, 4, 4]), t([1, 1, 3, 3]), { stride: 0 }),
    "conv2d",
    "stride [0,0]",
    "start at 1",
  ],
  [
    "half a padding",
    () => conv2d(t([1, 1, 4, 4]), t([1, 1, 3, 3]), { padding: 0.5 }),
    "conv2d",
    "padding [0.5,0.5]",
  ],
  [
    "bias of a convolution",
    () => conv2d(t([1, 1, 4, 4]), t([2, 1, 3, 3]), { bias: t([3]) }),
    "conv2d",
    "bias must be [2]",
    "[3]",
  ],
  [
    "channels of a transposed convolution",
    () => convTranspose2d(t([1, 3, 4, 4]), t([2, 3, 3, 3])),
    "convTranspose2d",
    "[1,3,4,4] and [2,3,3,3]",
  ],
  [
    "too much output padding",
    () => convTranspose2d(t([1, 2, 4, 4]), t([2, 3, 3, 3]), { outputPadding: 2 }),
    "conv2dInputGrad",
    "outputPadding",
  ],
  ["elements of a reshape", () => reshape(t([2, 3]), [4, 2]), "reshape", "6 elements into [4,2]", "[2,3]"],
  [
    "an extent that cannot be inferred",
    () => reshape(t([2, 3]), [4, -1]),
    "reshape",
    "cannot infer -1 in [4,-1] from 6",
    "[2,3]",
  ],
  ["two inferred extents", () => reshape(t([1]), [-1, -1]), "reshape", "One -1 at most"],
  ["a broken extent", () => reshape(t([6]), [1.5, 4]), "reshape", "[1.5,4]"],
  ["a permutation", () => transpose(t([2, 3]), [0, 0]), "transpose", "[0,0] is no permutation", "[2,3]"],
  ["broadcastTo", () => broadcastTo(t([2, 3]), [3]), "broadcastTo", "cannot reach [3]", "[2,3]"],
  ["an axis of a reduction", () => sum(t([2, 3]), [2]), "sum", "no axis 2", "[2,3]", "0 to 1"],
  [
    "a slice outside",
    () => slice(t([2, 3]), [0, 1], [2, 5]),
    "slice",
    "range 1..4 leaves axis 1 of extent 3",
    "[2,3]",
    "not clipped",
  ],
  ["an empty slice", () => slice(t([4]), [2], [2]), "slice", "range from 2 by 1 on axis 0 is empty", "[4]"],
  ["too few ranges", () => sliceRanges(t([2, 3]), []), "slice", "0 ranges for [2,3]", "one range an axis"],
  [
    "a box of another shape",
    () => unslice(t([3]), [{ start: 0, count: 2, step: 1 }], [4]),
    "unslice",
    "[2] elements",
    "[3]",
  ],
  ["a negative pad", () => padZero(t([3]), [[-1, 0]]), "padZero", "pads [-1,0]", "slice()"],
  [
    "a reflection too wide",
    () => padReflect(t([3]), [[3, 0]]),
    "padReflect",
    "a pad of 3 needs more than 3 elements on axis 0",
    "[3]",
  ],
  [
    "a pad for an axis that is not there",
    () =>
      padReflect(t([3]), [
        [0, 0],
        [1, 1],
      ]),
    "padReflect",
    "[0,0],[1,1]",
    "[3]",
  ],
  [
    "parts that do not join",
    () => concat([t([2, 3]), t([2, 4])], 0),
    "concat",
    "along axis 0",
    "[2,3] and [2,4]",
  ],
  ["an axis of concat", () => concat([t([2, 3]), t([2, 3])], 2), "concat", "no axis 2", "[2,3]"],
  ["no parts", () => concat([], 0), "concat: no parts"],
  ["sizes of a split", () => split(t([5]), [2, 2], 0), "split", "sizes 2 + 2 do not add to 5", "[5]"],
  ["one size of a split", () => split(t([5]), [3], 0), "split", "sizes 3 do not add to 5", "[5]"],
  ["softmax of a scalar", () => softmax(t([])), "softmax", "at least one axis"],
  ["standardize of a scalar", () => standardize(t([])), "standardize", "at least one axis"],
  [
    "affine of layerNorm",
    () => layerNorm(t([2, 4]), { scale: t([3]), shift: t([4]) }),
    "layerNorm",
    "must be [4]",
    "[2,4] and [3] and [4]",
  ],
  [
    "affine of groupNorm",
    () => groupNorm(t([1, 4, 2, 2]), 2, { scale: t([2]), shift: t([2]) }),
    "must be [4] or [1,4]",
    "[1,4,2,2] and [2] and [2]",
  ],
  [
    "affine of channels",
    () => affineChannels(t([2, 4, 2, 2]), { scale: t([4, 1]), shift: t([4]) }),
    "affineChannels",
    "must be [4] or [2,4]",
  ],
  [
    "groups of groupNorm",
    () => groupNorm(t([1, 4, 2, 2]), 3),
    "groupNorm",
    "4 channels are not divisible by 3",
    "[1,4,2,2]",
  ],
  ["a window too large", () => maxPool2d(t([1, 1, 2, 2]), 3), "maxPool2d", "window 3", "[1,1,2,2]"],
  ["stride 0 of a window", () => maxPool2d(t([1, 1, 4, 4]), 2, 0), "maxPool2d", "stride 0"],
  [
    "blocks",
    () => avgPool2d(t([1, 1, 5, 4]), 2),
    "avgPool2d",
    "not multiples of 2",
    "[1,1,5,4]",
    "pad or crop",
  ],
  ["half a factor", () => upsampleNearest2d(t([1, 1, 2, 2]), 1.5), "upsampleNearest2d", "factor 1.5"],
  ["no size", () => resizeBilinear2d(t([1, 1, 2, 2]), 0, 2), "resizeBilinear2d", "0x2"],
  [
    "channels after resizing",
    () => resizeConv2d(t([1, 3, 2, 2]), t([4, 2, 3, 3]), 4, 4, { padding: 1 }),
    "resizeConv2d",
    "3 channels but the weight takes 2",
    "[1,3,4,4]",
  ],
  ["a kernel beyond the resized", () => resizeConv2d(t([1, 1, 2, 2]), t([1, 1, 5, 5]), 4, 4), "5x5", "4x4"],
  [
    "a bias after resizing",
    () => resizeConv2d(t([1, 1, 2, 2]), t([4, 1, 1, 1]), 4, 4, { bias: t([]) }),
    "resizeConv2d",
    "bias must be [4]",
  ],
  ["values of a constant", () => constant([1, 2, 3], [2, 2]), "constant: 3 values do not fill shape [2,2]"],
  ["values of an array", () => ndarray([2, 2], [1, 2, 3]), "ndarray: 3 values do not fill shape [2,2]"],
  [
    "a loss that is no scalar",
    () => gradients(t([2]), []),
    "gradients",
    "[2] is no scalar",
    "sum() or mean()",
  ],
  ["a cotangent of another shape", () => gradients(t([2]), [], t([3])), "gradients", "[3] for output [2]"],
];

describe("a shape error", () => {
  test.each(WRONG.map(([name, make, ...parts]) => ({ name, make, parts })))(
    "of $name names the operation, the shapes and the remedy",
    ({ make, parts }) => {
      let caught: unknown;
      try {
        scope("net", () => scope("head", make));
      } catch (error) {
        caught = error;
      }
      expect(caught).toBeInstanceOf(GraphError);
      const { message } = caught as GraphError;
      for (const part of parts) expect(message).toContain(part);
      expect(message).not.toContain("undefined");
      expect(message).not.toContain("NaN");
      expect(message).not.toContain("\n");
    },
  );

  test("names the part of the model where it arose, and no part outside of one", () => {
    expect(() => scope("unet", () => scope("down.0", () => add(t([2]), t([3]))))).toThrow(
      "add at unet.down.0: cannot broadcast 2 with 3; inputs [2] and [3].",
    );
    expect(() => add(t([2]), t([3]))).toThrow("add: cannot broadcast");
  });

  test("leaves the module path as it was", () => {
    expect(() => scope("a", () => add(t([2]), t([3])))).toThrow("add at a:");
    expect(() => scope("b", () => add(t([2]), t([3])))).toThrow("add at b:");
  });
});

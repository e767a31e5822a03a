/** @module Families of the importer's grid: convolutions, pooling and resizing. */
import { big, type Family, flag, floats, IMAGE, ints, list } from "./onnx-grid-family.ts";

const PADS = [undefined, big(1, 0, 1, 2), big(1, 1, 1, 1)];
const AUTO = [undefined, "SAME_UPPER", "SAME_LOWER", "VALID", "NOTSET", "same"];
const PLACES = [
  undefined,
  "half_pixel",
  "half_pixel_symmetric",
  "pytorch_half_pixel",
  "align_corners",
  "asymmetric",
  "tf_half_pixel_for_nn",
  "tf_crop_and_resize",
];
const ROUNDINGS = [undefined, "round_prefer_floor", "round_prefer_ceil", "floor", "ceil"];
const pool = (op: string, extra: Family["attrs"]): readonly Family[] => [
  {
    op,
    about: "pads",
    opsets: [7, 12, 22],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3), big(3, 2), undefined],
      strides: [undefined, big(2, 2), big(1, 2)],
      pads: [...PADS, big(3, 0, 0, 0), big(0, 0, 2, 2), big(-1, 0, 0, 0), big(1, 1)],
      ...extra,
    },
  },
  {
    op,
    about: "auto_pad",
    opsets: [9, 13],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3)],
      strides: [undefined, big(2, 2), big(3, 3)],
      auto_pad: AUTO,
      pads: [undefined, big(1, 1, 1, 1)],
    },
  },
  {
    op,
    about: "ceil_mode",
    opsets: [10, 19],
    x: [IMAGE, [1, 1, 7, 8]],
    attrs: {
      kernel_shape: [big(2, 2), big(3, 3)],
      strides: [undefined, big(2, 2), big(3, 3)],
      ceil_mode: flag,
      auto_pad: [undefined, "SAME_UPPER", "VALID"],
      pads: [undefined, big(1, 1, 1, 1), big(0, 1, 1, 0)],
      ...extra,
    },
  },
  {
    op,
    about: "dilations",
    opsets: [9, 11, 19],
    attrs: {
      kernel_shape: [big(2, 2)],
      dilations: [big(1, 1), big(2, 2), big(1, 2)],
      strides: [undefined, big(2, 2)],
      pads: [undefined, big(1, 1, 1, 1)],
      auto_pad: [undefined, "SAME_UPPER"],
    },
  },
  {
    op,
    about: "other ranks",
    opsets: [13],
    x: [
      [2, 6],
      [1, 2, 6],
      [1, 2, 4, 5, 6],
    ],
    attrs: { kernel_shape: [big(2), big(2, 2), big(2, 2, 2)] },
  },
];

export const WINDOWS: readonly Family[] = [
  ...pool("AveragePool", { count_include_pad: flag }),
  ...pool("MaxPool", { storage_order: [undefined, 1n] }),
  {
    op: "Conv",
    about: "pads",
    opsets: [7, 11, 22],
    inputs: [
      [floats([4, 2, 3, 3]), floats([4, 2, 2, 3])],
      [undefined, floats([4])],
    ],
    attrs: {
      strides: [undefined, big(2, 2), big(1, 3), big(0, 0)],
      pads: [...PADS, big(-1, 0, 0, 0), big(1, 1)],
      dilations: [undefined, big(2, 1), big(0, 0)],
    },
  },
  {
    op: "Conv",
    about: "auto_pad",
    opsets: [11],
    inputs: [[floats([4, 2, 3, 3]), floats([4, 2, 2, 2])]],
    attrs: {
      auto_pad: AUTO,
      strides: [undefined, big(2, 2), big(3, 3)],
      dilations: [undefined, big(2, 2)],
      pads: [undefined, big(0, 0, 0, 0), big(1, 1, 1, 1)],
    },
  },
  {
    op: "Conv",
    about: "groups",
    opsets: [11],
    inputs: [
      [floats([4, 2, 3, 3]), floats([4, 1, 3, 3]), floats([3, 1, 3, 3])],
      [undefined, "", floats([4]), floats([1]), floats([4, 1])],
    ],
    attrs: { group: [undefined, 0n, 1n, 2n, -1n], kernel_shape: [undefined, big(3, 3), big(2, 2), big(3)] },
  },
  {
    op: "Conv",
    about: "other ranks",
    opsets: [11],
    x: [
      [2, 6],
      [1, 2, 6],
      [1, 2, 4, 5, 6],
    ],
    inputs: [[floats([3, 2, 2]), floats([3, 2, 2, 2]), floats([3, 2, 2, 2, 2])]],
  },
  {
    op: "ConvTranspose",
    about: "pads",
    opsets: [7, 11, 22],
    inputs: [
      [floats([2, 3, 3, 3]), floats([2, 3, 2, 3])],
      [undefined, floats([3]), floats([6])],
    ],
    attrs: {
      strides: [undefined, big(2, 2), big(1, 3)],
      pads: [...PADS, big(0, 0, 1, 1)],
      dilations: [undefined, big(2, 1)],
      output_padding: [undefined, big(1, 0), big(0, 1), big(2, 2)],
    },
  },
  {
    op: "ConvTranspose",
    about: "groups and sizes",
    opsets: [11],
    inputs: [[floats([2, 3, 3, 3])]],
    attrs: {
      group: [undefined, 1n, 2n],
      auto_pad: AUTO,
      output_shape: [undefined, big(8, 9)],
      kernel_shape: [undefined, big(3, 3), big(2, 2)],
      strides: [undefined, big(2, 2)],
    },
  },
  ...["GlobalAveragePool", "GlobalMaxPool"].map((op): Family => ({
    op,
    about: "ranks",
    opsets: [7, 22],
    x: [IMAGE, [1, 2, 5], [1, 2, 3, 4, 5], [2, 3], [3]],
  })),
  {
    op: "Resize",
    about: "operator set 10",
    opsets: [9, 10],
    inputs: [[list(1, 1, 2, 2), list(1, 1, 0.5, 0.7), list(1, 1, 1.5, 3), list(2, 1, 1, 1), list(2, 2)]],
    attrs: { mode: [undefined, "nearest", "linear", "cubic"] },
  },
  {
    op: "Resize",
    about: "nearest",
    opsets: [11, 19],
    x: [IMAGE, [1, 1, 1, 4]],
    inputs: [
      [floats([0], 1), ""],
      [list(1, 1, 2, 2), list(1, 1, 3, 2), list(1, 1, 0.5, 0.7), list(1, 1, 2.3, 1), list(1, 1, 0.4, 0.3)],
    ],
    attrs: { coordinate_transformation_mode: PLACES, nearest_mode: ROUNDINGS },
  },
  {
    op: "Resize",
    about: "nearest to sizes",
    opsets: [13, 18],
    inputs: [
      [""],
      [""],
      [
        ints(1, 2, 10, 12),
        ints(1, 2, 3, 4),
        ints(1, 2, 1, 1),
        ints(1, 2, 7, 7),
        ints(2, 3, 5, 6),
        ints(1, 2, 0, 3),
        ints(5, 6),
      ],
    ],
    attrs: { coordinate_transformation_mode: PLACES, nearest_mode: [undefined, "floor", "simple"] },
  },
  {
    op: "Resize",
    about: "linear and cubic",
    opsets: [11, 19],
    x: [IMAGE, [1, 1, 1, 4]],
    inputs: [
      [floats([0], 1)],
      [
        list(1, 1, 2, 2),
        list(1, 1, 3, 1),
        list(1, 1, 0.5, 0.7),
        list(1, 1, 2.3, 1.7),
        list(1, 1, 0.2, 0.3),
        list(2, 1, 1, 1),
      ],
    ],
    attrs: {
      mode: ["linear", "cubic", "bilinear"],
      coordinate_transformation_mode: PLACES,
      exclude_outside: [undefined, 1n],
      extrapolation_value: [undefined, 1.5],
    },
  },
  {
    op: "Resize",
    about: "linear and cubic to sizes",
    opsets: [13, 18],
    inputs: [
      [""],
      [""],
      [
        ints(1, 2, 10, 9),
        ints(1, 2, 3, 4),
        ints(1, 2, 1, 1),
        ints(1, 2, 1, 7),
        ints(1, 3, 5, 6),
        ints(1, 2, 5, 6),
      ],
    ],
    attrs: {
      mode: ["linear", "cubic"],
      coordinate_transformation_mode: PLACES,
      cubic_coeff_a: [undefined, -0.5],
      antialias: flag,
    },
  },
  {
    op: "Resize",
    about: "axes and ratio",
    opsets: [17, 18, 19],
    inputs: [[""], [""], [ints(10, 9), ints(3, 8), ints(1, 2, 8, 3), ints(7)]],
    attrs: {
      mode: [undefined, "linear", "cubic"],
      axes: [undefined, big(2, 3), big(-1, -2), big(2), big(2, 2), big(4)],
      keep_aspect_ratio_policy: [undefined, "stretch", "not_larger", "not_smaller", "odd"],
    },
  },
  {
    op: "Resize",
    about: "axes and scales",
    opsets: [18],
    inputs: [
      ["", list(1, 1, 1, 1, 0, 0, 1, 1)],
      [list(1.5, 2), list(2), list(0, 1), list(-1, 1), ""],
      [undefined, ints(10, 9)],
    ],
    attrs: {
      mode: [undefined, "linear"],
      axes: [undefined, big(2, 3), big(3)],
      keep_aspect_ratio_policy: [undefined, "not_larger"],
    },
  },
  {
    op: "Resize",
    about: "other ranks",
    opsets: [13],
    x: [[6], [4, 6], [2, 4, 6], [1, 1, 3, 4, 5]],
    inputs: [[""], [list(2), list(2, 1.5), list(1, 2, 1.5), list(1, 1, 2, 1.5, 2)]],
    attrs: { mode: [undefined, "linear", "cubic"] },
  },
];

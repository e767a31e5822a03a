/** @module Models that ask for what no machine has, and for endless work. */
import { big, chain, floats, type Hostile, ints, node } from "./hostile-model.ts";

/** Models that ask for what no machine has, and for endless work. */
export const SIZES: readonly Hostile[] = [
  [
    "2^29 ones",
    chain("Relu", 0, [2 ** 29]),
    "import/too-large",
    'node "ones" (ConstantOfShape): makes a tensor [536870912]',
  ],
  ["2^32 ones", chain("Relu", 0, [65_536, 65_536]), "import/too-large", 'node "ones" (ConstantOfShape)'],
  [
    "2^27 ones",
    chain("Relu", 0, [2 ** 27]),
    "import/too-large",
    "to 134,217,729 elements; at most 4,194,304",
  ],
  [
    "2^106 ones",
    chain("Relu", 0, [2 ** 53 - 1, 2 ** 53 - 1]),
    "import/too-large",
    'node "ones" (ConstantOfShape)',
  ],
  [
    "ones of negative extent",
    chain("Relu", 0, [-5]),
    "import/node",
    'node "ones" (ConstantOfShape): shape [-5]',
  ],
  [
    "joining with itself, 27 times",
    chain("Concat", 27, [1], true),
    "import/too-large",
    'node "step21" (Concat): brings what the model makes',
  ],
  ["joining with itself, 1000 times", chain("Concat", 1000, [1], true), "import/too-large", "elements"],
  [
    "3000 x 3000 products",
    chain("MatMul", 1, [3000, 3000], true),
    "import/too-large",
    "(ConstantOfShape): brings what",
  ],
  [
    "1000 x 1000 products",
    chain("MatMul", 1, [1000, 1000], true),
    "import/too-large",
    "multiply-accumulates",
  ],
  [
    "products again and again",
    chain("MatMul", 60, [250, 250], true),
    "import/too-large",
    "multiply-accumulates",
  ],
  [
    "repeating to 2^40",
    node("Expand", { stored: { c: floats(1), s: ints(2 ** 40) } }, []),
    "import/too-large",
    'node "bad" (Expand): makes a tensor [1099511627776]',
  ],
  [
    "repeating to 2^29",
    node("Expand", { stored: { c: floats(1), s: ints(2 ** 29) } }, []),
    "import/too-large",
    "536,870,912",
  ],
  [
    "repeating to 100,000 dimensions",
    node("Expand", { stored: { s: { dims: [100_000], type: "int64", values: [1] } } }),
    "import/too-large",
    "100000 dimensions",
  ],
  [
    "shaping to 100,000 dimensions",
    node("Reshape", { stored: { s: { dims: [100_000], type: "int64", values: [1] } } }),
    "import/node",
    "...",
  ],
  [
    "padding by 2^30",
    node("Pad", { stored: { s: ints(0, 0, 2 ** 30, 0, 0, 0, 0, 2 ** 30) } }),
    "import/too-large",
    'node "bad" (Pad)',
  ],
  [
    "padding by 2^53",
    node("Pad", { stored: { s: ints(0, 0, 0, 0, 0, 0, 0, 2 ** 53) } }),
    "import/node",
    "a pad is too large",
  ],
  [
    "resizing to 2^31",
    node("Resize", {
      attrs: { mode: "linear" },
      stored: { e: floats(0), f: floats(0), z: ints(1, 3, 2 ** 31, 2 ** 31) },
    }),
    "import/node",
    "extents up to 65536",
  ],
  [
    "resizing by 10^9",
    node("Resize", { stored: { e: floats(0), z: { dims: [4], values: [1, 1, 1e9, 1] } } }),
    "import/node",
    "extents up to 65536",
  ],
  [
    "resizing by NaN",
    node("Resize", { stored: { e: floats(0), z: { dims: [4], values: [1, 1, NaN, NaN] } } }),
    "import/node",
    "are not positive",
  ],
  [
    "a window of 20,000 x 20,000",
    node("AveragePool", {
      attrs: { kernel_shape: big(20_000, 20_000), pads: big(19_999, 19_999, 19_999, 19_999) },
    }),
    "import/node",
    "window 20000 x 20000",
  ],
  [
    "strides of 2^40",
    node("MaxPool", { attrs: { kernel_shape: big(2, 2), strides: big(2 ** 40, 1) } }),
    "import/node",
    'attribute "strides" is 1099511627776, 1',
  ],
  [
    "a million groups",
    node("ConvTranspose", {
      attrs: { group: 1_000_000n, strides: big(100_000, 100_000) },
      stored: { w: floats(3, 3, 3, 3) },
    }),
    "import/node",
    'node "bad" (ConvTranspose)',
  ],
  [
    "no groups",
    node("Conv", { attrs: { group: 0n }, stored: { w: floats(1, 3, 3, 3) } }),
    "import/node",
    'attribute "group" is 0',
  ],
  [
    "steps of 0",
    node("Conv", { attrs: { strides: big(0, 0) }, stored: { w: floats(1, 3, 3, 3) } }),
    "import/node",
    'attribute "strides" is 0, 0',
  ],
  [
    "a million axes",
    node("Unsqueeze", { stored: { a: ints(10 ** 9, 10 ** 9) } }),
    "import/node",
    "axis 1000000000",
  ],
  ["too many nodes", chain("Relu", 20_000, [1]), "import/too-large", "20001 nodes; at most 16384"],
  [
    "dividing by zero",
    node("Div", { stored: { a: ints(1, 2), b: ints(0, 1) } }, []),
    "import/node",
    "divided by zero",
  ],
  [
    "whole numbers beyond 2^53",
    node("Mul", { stored: { a: ints(2 ** 40), b: ints(2 ** 40) } }, []),
    "import/node",
    "too large",
  ],
  [
    "whole numbers that are fed",
    { ...node("Add", { stored: { a: ints(1) } }), types: { x: "int64" } },
    "import/node",
    "whole numbers must be constant",
  ],
];

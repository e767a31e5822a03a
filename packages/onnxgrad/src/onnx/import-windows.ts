/** @module Rules of `import-rules.ts` for what slides over images: convolutions and pooling. */
import { quoteName } from "../errors.ts";
import { add, mul } from "../ops/arithmetic.ts";
import { conv2d, convTranspose2d } from "../ops/conv.ts";
import { maxPool2d } from "../ops/pool.ts";
import { reshape } from "../ops/reshape.ts";
import { padZero } from "../ops/pad.ts";
import { sliceRanges } from "../ops/slice.ts";
import { constant } from "../ops/source.ts";
import type { Tensor } from "../trace/tensor.ts";
import { type ImportContext, requireShape, type Rule } from "./import-node.ts";

type Pair = readonly [number, number];

/** Geometry of a window over [n,c,h,w]. */
interface Window {
  readonly x: Tensor;
  readonly kernel: Pair;
  readonly stride: Pair;
  readonly dilation: Pair;
  /** [before, after] of both directions. */
  readonly pads: readonly [Pair, Pair];
  /** How far windows of `ceil_mode` reach beyond the padding, in both directions. */
  readonly beyond: Pair;
}

/** `count` whole numbers from `least` on. */
function numbersOf(
  node: ImportContext,
  name: string,
  [count, least]: Pair,
  otherwise: readonly number[],
): readonly number[] {
  const values = node.ints(name) ?? otherwise;
  if (values.length === count && values.every((n) => Number.isSafeInteger(n) && n >= least && n <= 2 ** 31))
    return values;
  return node.fail(
    `attribute "${name}" is ${values.join(", ")}; ${count} numbers from ${least} on are supported`,
  );
}

const pairOf = (node: ImportContext, name: string, least: number): Pair =>
  numbersOf(node, name, [2, least], [least, least]) as unknown as Pair;

const PADDINGS = ["NOTSET", "SAME_UPPER", "SAME_LOWER", "VALID"];

function windowOf(node: ImportContext, kernelShape: readonly number[]): Window {
  const x = node.input(0);
  if (x.rank !== 4) node.fail(`takes images [n,c,h,w], got [${x.shape.join(",")}]`);
  const kernel = (node.has("kernel_shape")
    ? numbersOf(node, "kernel_shape", [2, 1], [])
    : kernelShape) as unknown as Pair;
  const stride = pairOf(node, "strides", 1);
  const dilation = pairOf(node, "dilations", 1);
  const auto = node.string("auto_pad", "NOTSET");
  if (!PADDINGS.includes(auto)) node.fail(`attribute "auto_pad" has no value ${quoteName(auto)}`);
  const explicit = numbersOf(node, "pads", [4, 0], [0, 0, 0, 0]);
  const isSame = auto.startsWith("SAME");
  if (isSame && dilation.some((each) => each !== 1))
    node.fail(`attribute "auto_pad" ${quoteName(auto)} with dilations is not supported; give pads`);
  const pads = ([0, 1] as const).map((d): Pair => {
    const extent = x.shape[2 + d]!;
    if (!isSame) return auto === "VALID" ? [0, 0] : [explicit[d]!, explicit[d + 2]!];
    const reach = dilation[d] * (kernel[d] - 1) + 1;
    const total = Math.max(0, (Math.ceil(extent / stride[d]) - 1) * stride[d] + reach - extent);
    const less = Math.floor(total / 2);
    return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
  }) as [Pair, Pair];
  const beyond = ([0, 1] as const).map((d) => {
    if (node.int("ceil_mode", 0) === 0) return 0;
    const [extent, reach] = [x.shape[2 + d]!, dilation[d] * (kernel[d] - 1) + 1];
    const [before, after] = pads[d];
    // A last window that is partly outside counts, unless it would start there.
    const steps = Math.ceil((extent + before + after - reach) / stride[d]);
    const last = steps * stride[d] >= extent + before ? steps - 1 : steps;
    return Math.max(0, last * stride[d] + reach - extent - before - after);
  }) as unknown as Pair;
  return { x, kernel, stride, dilation, pads, beyond };
}

const withPads = (x: Tensor, [rows, columns]: readonly [Pair, Pair]): Tensor =>
  padZero(x, [[0, 0], [0, 0], rows, columns]);

/** Pads and what lies beyond them. */
const reachOf = ({ pads: [rows, columns], beyond }: Window): readonly [Pair, Pair] => [
  [rows[0], rows[1] + beyond[0]],
  [columns[0], columns[1] + beyond[1]],
];

function weightOf(node: ImportContext): Tensor {
  const weight = node.input(1);
  if (weight.rank !== 4) node.fail(`takes a weight of four dimensions, got [${weight.shape.join(",")}]`);
  const kernel = weight.shape.slice(2);
  const stated = node.ints("kernel_shape") ?? kernel;
  if (stated.length !== 2 || stated.some((n, d) => n !== kernel[d]))
    node.fail(`attribute "kernel_shape" is ${stated.join(", ")}, and the weight's ${kernel.join(", ")}`);
  return weight;
}

const groupsOf = (node: ImportContext): number => {
  const groups = node.int("group", 1);
  return Number.isSafeInteger(groups) && groups > 0 ? groups : node.fail(`attribute "group" is ${groups}`);
};

export const convRule: Rule = (node) => {
  if (node.string("auto_pad", "NOTSET") !== "NOTSET" && node.has("pads"))
    node.fail('has attribute "pads" and attribute "auto_pad"');
  const weight = weightOf(node);
  const { x, stride, dilation, pads } = windowOf(node, weight.shape.slice(2));
  const bias = node.inputs[2] && requireShape(node, 2, [weight.shape[0]!]);
  const options = { stride, dilation, groups: groupsOf(node), ...(bias && { bias }) };
  return pads.every(([before, after]) => before === after)
    ? conv2d(x, weight, { ...options, padding: [pads[0][0], pads[1][0]] })
    : conv2d(withPads(x, pads), weight, options);
};

export const convTransposeRule: Rule = (node) => {
  const weight = weightOf(node);
  if (node.has("output_shape")) node.fail('attribute "output_shape" is not supported; give pads');
  const auto = node.string("auto_pad", "NOTSET");
  if (auto !== "NOTSET") node.fail(`attribute "auto_pad" ${quoteName(auto)} is not supported; give pads`);
  const { x, stride, dilation, pads } = windowOf(node, weight.shape.slice(2));
  const groups = groupsOf(node);
  const bias = node.inputs[2] && requireShape(node, 2, [weight.shape[1]! * groups]);
  const outputPadding = numbersOf(node, "output_padding", [2, 0], [0, 0]) as unknown as Pair;
  const options = { stride, dilation, groups, outputPadding };
  if (pads.every(([before, after]) => before === after))
    return convTranspose2d(x, weight, {
      ...options,
      padding: [pads[0][0], pads[1][0]],
      ...(bias && { bias }),
    });
  const whole = convTranspose2d(x, weight, options);
  const kept = sliceRanges(
    whole,
    whole.shape.map((extent, axis) => {
      const [before, after] = axis < 2 ? [0, 0] : pads[axis === 2 ? 0 : 1];
      return { start: before, count: extent - before - after, step: 1 };
    }),
  );
  return bias === undefined ? kept : add(kept, reshape(bias, [1, bias.size, 1, 1]));
};

function poolOf(node: ImportContext): Window {
  const window = windowOf(node, []);
  const { x, kernel, dilation, stride, pads } = window;
  const isSame = node.string("auto_pad", "NOTSET").startsWith("SAME");
  const leavesOut = (d: 0 | 1) => (x.shape[2 + d]! - 1) % stride[d] >= kernel[d];
  if (isSame && (leavesOut(0) || leavesOut(1)))
    node.fail(
      `strides ${stride.join(" x ")} leave out the last pixels, which is not supported with "auto_pad"`,
    );
  for (const d of [0, 1] as const)
    if (Math.max(...pads[d]) >= dilation[d] * (kernel[d] - 1) + 1)
      node.fail(`pads ${pads[d].join(" and ")} are not smaller than the window of ${kernel[d]}`);
  return window;
}

/** Pixels along a direction of an image that is pooled, at most. */
const LONGEST_LINE = 2 ** 20;

/** `count` values along the rows [1,1,h,1] or the columns [1,1,1,w] of an image. */
function along(node: ImportContext, d: 0 | 1, count: number, value: (i: number) => number): Tensor {
  if (count > LONGEST_LINE)
    node.fail(`pools ${count} pixels in a line; at most ${LONGEST_LINE} are supported`);
  node.reserve(count, "a value a row");
  const values = Float64Array.from({ length: count }, (_, i) => value(i));
  return constant(values, d === 0 ? [1, 1, count, 1] : [1, 1, 1, count]);
}

/** Lower than any activation, yet finite, as are two of them: its gradient is zero, not NaN. */
const LOWEST = -1.7e38;

export const maxPoolRule: Rule = (node) => {
  const window = poolOf(node);
  const { x, kernel, stride, dilation } = window;
  if (dilation.some((each) => each !== 1)) node.fail('attribute "dilations" other than 1 is not supported');
  if (kernel[0] !== kernel[1]) node.fail(`window ${kernel.join(" x ")} is not square`);
  if (stride[0] !== stride[1]) node.fail(`strides ${stride.join(" x ")} differ`);
  const pads = reachOf(window);
  // Padding never wins: what was padded with zeros is lowered.
  const lowered = ([0, 1] as const).reduce<Tensor>(
    (y, d) => {
      const [before, after] = pads[d];
      if (before === 0 && after === 0) return y;
      const extent = x.shape[2 + d]!;
      const isOutside = (i: number) => i < before || i >= before + extent;
      const line = along(node, d, before + extent + after, (i) => (isOutside(i) ? LOWEST : 0));
      return add(y, line);
    },
    withPads(x, pads),
  );
  return maxPool2d(lowered, kernel[0], stride[0]);
};

/** Pixels of a window that is summed by a convolution, at most. */
const LARGEST_WINDOW = 65_536;

/** A depthwise convolution with ones, over the number of elements that count. */
export const averagePoolRule: Rule = (node) => {
  const window = poolOf(node);
  const { x, kernel, stride, dilation, pads } = window;
  const [, channels] = x.shape as [number, number, number, number];
  if (kernel[0] * kernel[1] > LARGEST_WINDOW)
    node.fail(`window ${kernel.join(" x ")} has more than ${LARGEST_WINDOW} pixels`);
  node.reserve(channels * kernel[0] * kernel[1], "windows");
  const ones = constant(new Float64Array(channels * kernel[0] * kernel[1]).fill(1), [channels, 1, ...kernel]);
  const total = conv2d(withPads(x, reachOf(window)), ones, { stride, dilation, groups: channels });
  // How many count is a product of rows and columns.
  return ([0, 1] as const).reduce((y, d) => {
    const extent = x.shape[2 + d]!;
    const [before, after] = node.int("count_include_pad", 0) === 0 ? ([0, 0] as const) : pads[d];
    const places = y.shape[2 + d]!;
    const share = (i: number) => {
      const first = i * stride[d] - pads[d][0];
      const low = Math.max(0, Math.ceil((-before - first) / dilation[d]));
      const high = Math.min(kernel[d] - 1, Math.floor((extent + after - 1 - first) / dilation[d]));
      return 1 / (high - low + 1);
    };
    return mul(y, along(node, d, places, share));
  }, total);
};

/** @module Rules of `import-rules.ts` for what slides over images: convolutions, pooling, resizing. */
import { add, div } from "../ops/arithmetic.ts";
import { conv2d, convTranspose2d } from "../ops/conv.ts";
import { maxPool2d, upsampleNearest2d } from "../ops/pool.ts";
import { resizeBilinear2d } from "../ops/resize.ts";
import { padZero } from "../ops/slice.ts";
import { constant } from "../ops/source.ts";
import type { Tensor } from "../trace/tensor.ts";
import { type ImportContext, knownValues, type Rule } from "./import-node.ts";

const square = (node: ImportContext, values: readonly number[], what: string): number =>
  values.every((each) => each === values[0])
    ? values[0]!
    : node.fail(`${what} ${values.join(" x ")} is not square`);

/** Geometry of a window over [n,c,h,w], padding given as [before, after] of both directions. */
function windowOf(node: ImportContext, kernel: readonly number[]) {
  const x = node.input(0);
  if (x.rank !== 4 || kernel.length !== 2) node.fail(`takes images [n,c,h,w], got [${x.shape.join(",")}]`);
  const stride = node.ints("strides") ?? [1, 1];
  const dilation = node.ints("dilations") ?? [1, 1];
  const auto = node.string("auto_pad", "NOTSET");
  const explicit = node.ints("pads") ?? [0, 0, 0, 0];
  const pads = [0, 1].map((d): [number, number] => {
    const extent = x.shape[2 + d]!;
    const reach = dilation[d]! * (kernel[d]! - 1) + 1;
    if (auto.startsWith("SAME")) {
      const total = Math.max(0, (Math.ceil(extent / stride[d]!) - 1) * stride[d]! + reach - extent);
      const less = Math.floor(total / 2);
      return auto === "SAME_UPPER" ? [less, total - less] : [total - less, less];
    }
    const [before, after] = auto === "VALID" ? [0, 0] : [explicit[d]!, explicit[d + 2]!];
    if (node.int("ceil_mode", 0) === 0) return [before, after];
    // A last window that is partly outside counts, unless it would start there.
    const steps = Math.ceil((extent + before + after - reach) / stride[d]!);
    const last = steps * stride[d]! >= extent + before ? steps - 1 : steps;
    return [before, Math.max(after, last * stride[d]! + reach - extent - before)];
  });
  return {
    x,
    stride: stride as [number, number],
    dilation: dilation as [number, number],
    pads: pads as [[number, number], [number, number]],
  };
}

const withPads = (x: Tensor, pads: readonly [number, number][]): Tensor =>
  padZero(x, [[0, 0], [0, 0], ...pads]);

export const convRule: Rule = (node) => {
  const weight = node.input(1);
  const { x, stride, dilation, pads } = windowOf(node, weight.shape.slice(2));
  const groups = node.int("group", 1);
  const bias = node.inputs[2];
  const even = pads.every(([before, after]) => before === after);
  const options = { stride, dilation, groups, ...(bias && { bias }) };
  return even
    ? conv2d(x, weight, { ...options, padding: [pads[0][0], pads[1][0]] })
    : conv2d(withPads(x, pads), weight, options);
};

export const convTransposeRule: Rule = (node) => {
  const weight = node.input(1);
  if (node.has("output_shape") || node.string("auto_pad", "NOTSET") !== "NOTSET")
    node.fail("only explicit pads are supported");
  const { x, stride, dilation, pads } = windowOf(node, weight.shape.slice(2));
  if (pads.some(([before, after]) => before !== after)) node.fail("pads differ between the sides");
  const bias = node.inputs[2];
  const outputPadding = (node.ints("output_padding") ?? [0, 0]) as [number, number];
  return convTranspose2d(x, weight, {
    stride,
    dilation,
    groups: node.int("group", 1),
    padding: [pads[0][0], pads[1][0]],
    outputPadding,
    ...(bias && { bias }),
  });
};

/** Lower than any activation, yet finite: its gradient is zero, not NaN. */
const LOWEST = -1e30;

export const maxPoolRule: Rule = (node) => {
  if (node.outputs > 1) node.fail("the indices of the maxima are not supported");
  const kernel = node.ints("kernel_shape") ?? [];
  const { x, stride, dilation, pads } = windowOf(node, kernel);
  if (dilation.some((each) => each !== 1)) node.fail("dilations are not supported");
  const padded = withPads(x, pads);
  // Padding never wins: what was padded with zeros is lowered.
  const [, , h, w] = padded.shape as [number, number, number, number];
  const inside = (i: number, d: 0 | 1) => i >= pads[d][0] && i < pads[d][0] + x.shape[2 + d]!;
  const lowered =
    padded === x
      ? x
      : add(
          padded,
          constant(
            Float64Array.from({ length: h * w }, (_, i) =>
              inside(Math.floor(i / w), 0) && inside(i % w, 1) ? 0 : LOWEST,
            ),
            [1, 1, h, w],
          ),
        );
  return maxPool2d(lowered, square(node, kernel, "window"), square(node, stride, "stride"));
};

/** A depthwise convolution with ones, over the number of elements that count. */
export const averagePoolRule: Rule = (node) => {
  const kernel = node.ints("kernel_shape") ?? [];
  const { x, stride, dilation, pads } = windowOf(node, kernel);
  if (node.int("ceil_mode", 0) === 1) node.fail("ceil_mode is not supported");
  const [, c, h, w] = x.shape as [number, number, number, number];
  const ones = (n: number) =>
    constant(new Float64Array(n * kernel[0]! * kernel[1]!).fill(1), [n, 1, ...kernel]);
  const total = conv2d(withPads(x, pads), ones(c), { stride, dilation, groups: c });
  if (node.int("count_include_pad", 0) === 1) return div(total, kernel[0]! * kernel[1]!);
  const count = conv2d(withPads(constant(new Float64Array(h * w).fill(1), [1, 1, h, w]), pads), ones(1), {
    stride,
    dilation,
  });
  return div(total, count);
};

export const resizeRule: Rule = (node) => {
  const x = node.input(0);
  const sizes = node.inputs[3] === undefined ? undefined : knownValues(node, 3);
  const scales = sizes?.map((n, i) => n / x.shape[i]!) ?? knownValues(node, node.inputs.length === 2 ? 1 : 2);
  const [n, c, down, right] = scales as [number, number, number, number];
  const mode = node.string("mode", "nearest");
  const place = node.string("coordinate_transformation_mode", node.opset < 11 ? "asymmetric" : "half_pixel");
  const how = `${mode}, ${place}, by ${down} x ${right}`;
  if (x.rank !== 4 || n !== 1 || c !== 1) node.fail("only the extents of images can be resized");
  if (mode === "nearest") {
    const rounding = node.string("nearest_mode", node.opset < 11 ? "floor" : "round_prefer_floor");
    const repeats =
      (place === "half_pixel" && rounding.startsWith("round")) ||
      (place === "asymmetric" && rounding === "floor");
    if (!repeats || down !== right || !Number.isInteger(down))
      node.fail(`${how}: only whole factors are supported`);
    return upsampleNearest2d(x, down);
  }
  const known = ["half_pixel", "pytorch_half_pixel", "align_corners"].includes(place);
  const whole = [x.shape[2]! * down, x.shape[3]! * right].every(
    (extent) => Math.abs(extent - Math.round(extent)) < 1e-4,
  );
  if (mode !== "linear" || !known || !whole || node.int("antialias", 0) === 1)
    node.fail(`${how} is not supported`);
  return resizeBilinear2d(x, Math.round(x.shape[2]! * down), Math.round(x.shape[3]! * right), {
    alignCorners: place === "align_corners",
  });
};

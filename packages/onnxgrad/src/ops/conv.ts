/**
 * @module Two-dimensional convolution (cross-correlation, as in every deep-learning library) with its two adjoints.
 * The three operations are closed under differentiation: the gradient of each is made of the other two, so gradients
 * of any order exist.
 */
import { apply1, type Shape, sizeOf, type Tensor } from "../trace/tensor.ts";
import { add } from "./arithmetic.ts";
import {
  adjointGeometry,
  convGeometry,
  type ConvGeometry,
  type ConvOptions,
  onnxAttrs,
  outputShape,
  pair,
  requireBias,
  requireGeometry,
} from "./conv-geometry.ts";
import { blockedConv, blockedInputGrad, fitsBlocks } from "./conv-blocks.ts";
import { lowerWeightGrad } from "./conv-weight-grad.ts";
import { isSmall, windowConv, windowInputGrad } from "./conv-windows.ts";
import { defineOp, type LowerContext, type OpDefinition, shapeError } from "./define-op.ts";
import { reshaped, reversed, swapped, transposed } from "./emit.ts";
import { linear, PARTIAL, type PlacementRule, samePlace, type Sharded, withLocalShape } from "./placement.ts";
import { sum } from "./sum.ts";
import { reshape } from "./reshape.ts";

/** Calls `visit(input index, weight index, output index)` for every product of the convolution. */
function forEachProduct(
  x: Shape,
  w: Shape,
  y: Shape,
  g: ConvGeometry,
  visit: (xi: number, wi: number, yi: number) => void,
): void {
  const [n, c, height, width] = x as [number, number, number, number];
  const [out, perGroup, kh, kw] = w as [number, number, number, number];
  const [, , oh, ow] = y as [number, number, number, number];
  const outPerGroup = out / g.groups;
  for (let b = 0; b < n; b++)
    for (let o = 0; o < out; o++)
      for (let k = 0; k < perGroup; k++) {
        const channel = Math.floor(o / outPerGroup) * perGroup + k;
        for (let i = 0; i < kh; i++)
          for (let j = 0; j < kw; j++)
            for (let r = 0; r < oh; r++) {
              const row = r * g.stride[0] - g.padding[0] + i * g.dilation[0];
              if (row < 0 || row >= height) continue;
              for (let s = 0; s < ow; s++) {
                const column = s * g.stride[1] - g.padding[1] + j * g.dilation[1];
                if (column < 0 || column >= width) continue;
                visit(
                  ((b * c + channel) * height + row) * width + column,
                  ((o * perGroup + k) * kh + i) * kw + j,
                  ((b * out + o) * oh + r) * ow + s,
                );
              }
            }
      }
}

/** Images sharded along the batch, the weight (and bias) replicated. */
const ofImages: PlacementRule<unknown> = (node, places) => {
  const [x, w, bias] = places;
  if (x!.kind === "partial" || w!.kind === "partial")
    return bias === undefined ? linear(node, places) : undefined;
  if (x!.kind !== "sharded" || x!.axis !== 0 || places.slice(1).some(({ kind }) => kind !== "replicated"))
    return undefined;
  return { inputs: places, outputs: [x!] };
};

/** Products with one element of what the weight is applied to, or is made from: taps of all channels of a group. */
const productsOf = (weight: Shape) => sizeOf(weight.slice(1));

/** y = conv(x, w) (+ bias when a third input of [out] is given). */
export const conv2dOp: OpDefinition<ConvGeometry> = defineOp<ConvGeometry>({
  name: "conv2d",
  infer(inputs, g) {
    const [x, w, bias] = inputs;
    const shape = outputShape("conv2d", x!, w!, g);
    if (bias) requireBias("conv2d", bias, shape, inputs);
    return [{ shape, dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [x, w, bias], attrs: g, needs }) => [
    needs[0] ? conv2dInputGrad(grad, w!, x!.shape, g) : null,
    needs[1] ? conv2dWeightGrad(x!, grad, w!.shape, g) : null,
    ...(bias ? [needs[2] ? channelSum(grad) : null] : []),
  ],
  lower(context, inputs, { attrs, inputs: [x, w], outputs: [y] }) {
    const [xName, wName, bias] = inputs as [string, string, string?];
    const shapes = { x: x!.shape, w: w!.shape, y: y!.shape };
    if (isSmall(context, wName, shapes, attrs))
      return [windowConv(context, xName, wName, bias, shapes, attrs)];
    if (fitsBlocks(context, wName, shapes, attrs))
      return [blockedConv(context, xName, wName, bias, shapes.w, attrs)];
    return context.emit("Conv", inputs, { attrs: onnxAttrs(attrs) });
  },
  evaluate([x, w, bias], g, [out]) {
    const data = new Float64Array(sizeOf(out!.shape));
    forEachProduct(
      x!.shape,
      w!.shape,
      out!.shape,
      g,
      (xi, wi, yi) => (data[yi]! += x!.data[xi]! * w!.data[wi]!),
    );
    const plane = out!.shape[2]! * out!.shape[3]!;
    if (bias) data.forEach((_, i) => (data[i]! += bias.data[Math.floor(i / plane) % out!.shape[1]!]!));
    return [{ shape: out!.shape, data }];
  },
  place: ofImages,
  macs: ({ inputs: [, w], outputs: [y] }) => sizeOf(y!.shape) * productsOf(w!.shape),
  traits: {},
});

interface AdjointAttrs extends ConvGeometry {
  /** Shape of the result. */
  readonly shape: Shape;
}

/** x-gradient of a convolution, a transposed convolution: (y, w) -> x. */
export const conv2dInputGradOp: OpDefinition<AdjointAttrs> = defineOp<AdjointAttrs>({
  name: "conv2dInputGrad",
  infer(inputs, { shape, ...g }) {
    const [y, w] = inputs;
    const forward = outputShape("conv2dInputGrad", { shape, dtype: "float32" }, w!, g);
    if (forward.some((n, axis) => n !== y!.shape[axis]))
      throw shapeError(
        "conv2dInputGrad",
        `output [${shape.join(",")}] would give [${forward.join(",")}]`,
        inputs,
        "Adjust outputPadding or the shape.",
      );
    return [{ shape, dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [y, w], attrs: { shape: _, ...g }, needs }) => [
    needs[0] ? conv2dRaw(grad, w!, g) : null,
    needs[1] ? conv2dWeightGrad(grad, y!, w!.shape, g) : null,
  ],
  lower: (context, [y, w], { attrs, inputs: [ySpec, wSpec] }) => [
    lowerInputGrad(context, y!, w!, ySpec!.shape, wSpec!.shape, attrs),
  ],
  evaluate([y, w], { shape, ...g }) {
    const data = new Float64Array(sizeOf(shape));
    forEachProduct(shape, w!.shape, y!.shape, g, (xi, wi, yi) => (data[xi]! += y!.data[yi]! * w!.data[wi]!));
    return [{ shape, data }];
  },
  place(node, places) {
    const decision = ofImages(node, places);
    return decision && { ...decision, attrs: withLocalShape(node.attrs, decision.outputs[0]!) };
  },
  macs: ({ inputs: [y, w] }) => sizeOf(y!.shape) * productsOf(w!.shape),
  traits: {},
});

/** Weight gradient of a convolution: (x, y) -> w. */
export const conv2dWeightGradOp: OpDefinition<AdjointAttrs> = defineOp<AdjointAttrs>({
  name: "conv2dWeightGrad",
  infer(inputs, { shape, ...g }) {
    const [x, y] = inputs;
    const forward = outputShape("conv2dWeightGrad", x!, { shape, dtype: "float32" }, g);
    if (forward.some((n, axis) => n !== y!.shape[axis]))
      throw shapeError(
        "conv2dWeightGrad",
        `weight [${shape.join(",")}] would give [${forward.join(",")}]`,
        inputs,
        "Check stride and padding.",
      );
    return [{ shape, dtype: "float32" }];
  },
  vjp: ({ grad, inputs: [x, y], attrs: { shape: _, ...g }, needs }) => [
    needs[0] ? conv2dInputGrad(y!, grad, x!.shape, g) : null,
    needs[1] ? conv2dRaw(x!, grad, g) : null,
  ],
  lower(context, [x, y], { attrs: { shape, ...g }, inputs: [xSpec, ySpec] }) {
    // ONNX Runtime's convolutions over no images do not return.
    if (sizeOf(xSpec!.shape) === 0)
      return context.emit("Expand", [context.floats([], [0]), context.expansion([], shape)]);
    return [lowerWeightGrad(context, x!, y!, { x: xSpec!.shape, w: shape, y: ySpec!.shape }, g)];
  },
  evaluate([x, y], { shape, ...g }) {
    const data = new Float64Array(sizeOf(shape));
    forEachProduct(x!.shape, shape, y!.shape, g, (xi, wi, yi) => (data[wi]! += x!.data[xi]! * y!.data[yi]!));
    return [{ shape, data }];
  },
  place(node, places) {
    if (places.some(({ kind }) => kind === "partial")) return linear(node, places);
    const moving = places.find((each) => each.kind === "sharded") as Sharded;
    const fits = places.every((each) => each.kind === "replicated" || samePlace(each, moving));
    return moving.axis === 0 && fits ? { inputs: [moving, moving], outputs: [PARTIAL] } : undefined;
  },
  macs: ({ inputs: [, y], attrs }) => sizeOf(y!.shape) * productsOf(attrs.shape),
  traits: {},
});

/**
 * Stride 1: a convolution with the flipped, channel-transposed kernel, which ONNX Runtime runs far faster than
 * ConvTranspose. Other strides: ConvTranspose with the output padding that restores the shape.
 */
function lowerInputGrad(
  context: LowerContext,
  y: string,
  w: string,
  yShape: Shape,
  wShape: Shape,
  { shape, ...g }: AdjointAttrs,
): string {
  const [out, perGroup, kh, kw] = wShape as [number, number, number, number];
  const back = adjointGeometry(g, [kh, kw]);
  if (back === undefined) {
    const reach = [g.dilation[0] * (kh - 1), g.dilation[1] * (kw - 1)] as const;
    const surplus = ([0, 1] as const).map(
      (d) => shape[2 + d]! - ((yShape[2 + d]! - 1) * g.stride[d] - 2 * g.padding[d] + reach[d] + 1),
    );
    return context.emit("ConvTranspose", [y, w], {
      attrs: { ...onnxAttrs(g), output_padding: surplus.map(BigInt) },
    })[0]!;
  }
  const shapes = { x: yShape, w: wShape, y: shape };
  if (isSmall(context, w, shapes, back)) return windowInputGrad(context, y, w, shapes, back);
  if (fitsBlocks(context, w, shapes, back)) return blockedInputGrad(context, y, w, wShape, back);
  const adjoint = adjointKernel(context, w, [out, perGroup, kh, kw], g.groups);
  return context.emit("Conv", [y, adjoint], { attrs: onnxAttrs(back) })[0]!;
}

/**
 * [g*o, c, kh, kw] -> [g*c, o, kh, kw] within each group, the taps in reverse. Taps are moved by whole rows of channels.
 */
function adjointKernel(
  context: LowerContext,
  w: string,
  [out, perGroup, kh, kw]: readonly [number, number, number, number],
  groups: number,
): string {
  const taps = kh * kw;
  if (groups === 1 && taps === 1) return transposed(context, w, [1, 0, 2, 3]);
  const own = out / groups;
  const rows = swapped(context, reshaped(context, w, [out, perGroup, taps]), [out, perGroup, taps]); // [g o, taps, c]
  const apart = reshaped(context, reversed(context, rows, 1, taps), [groups, own, taps, perGroup]);
  const turned = transposed(context, apart, [0, 3, 1, 2]);
  return reshaped(context, turned, [groups * perGroup, own, kh, kw]);
}

/** Sum over batch and space: [n, c, h, w] -> [c]; as a matrix product where that is one pass over the data. */
function channelSum(y: Tensor): Tensor {
  return sum(y, [0, 2, 3]);
}

function conv2dRaw(x: Tensor, w: Tensor, g: ConvGeometry): Tensor {
  return apply1(conv2dOp, [x, w], g);
}

function conv2dInputGrad(y: Tensor, w: Tensor, shape: Shape, g: ConvGeometry): Tensor {
  return apply1(conv2dInputGradOp, [y, w], { ...g, shape });
}

function conv2dWeightGrad(x: Tensor, y: Tensor, shape: Shape, g: ConvGeometry): Tensor {
  return apply1(conv2dWeightGradOp, [x, y], { ...g, shape });
}

/**
 * Cross-correlation of x [n,c,h,w] with weight [out,c/groups,kh,kw], plus bias [out] where given.
 * @throws GraphError when channels, groups or extents do not fit.
 */
export function conv2d(
  x: Tensor,
  weight: Tensor,
  options: ConvOptions & { readonly bias?: Tensor } = {},
): Tensor {
  const g = convGeometry(options);
  return apply1(conv2dOp, options.bias ? [x, weight, options.bias] : [x, weight], g);
}

/**
 * Transposed convolution of x [n,in,h,w] with weight [in,out/groups,kh,kw]: the adjoint of {@link conv2d}, with
 * extents (h - 1) * stride - 2 * padding + dilation * (kh - 1) + 1 + outputPadding.
 * @throws GraphError when channels or extents do not fit.
 */
export function convTranspose2d(
  x: Tensor,
  weight: Tensor,
  options: ConvOptions & {
    readonly outputPadding?: number | readonly [number, number];
    readonly bias?: Tensor;
  } = {},
): Tensor {
  const g = convGeometry(options);
  requireGeometry("convTranspose2d", g, [x, weight]);
  if (x.rank !== 4 || weight.rank !== 4 || x.shape[1] !== weight.shape[0])
    throw shapeError(
      "convTranspose2d",
      "takes input [n,in,h,w] and weight [in,out/groups,kh,kw]",
      [x, weight],
      "Give the layer the input's channels.",
    );
  const extra = pair(options.outputPadding, 0);
  const extent = (d: 0 | 1) =>
    (x.shape[2 + d]! - 1) * g.stride[d] -
    2 * g.padding[d] +
    g.dilation[d] * (weight.shape[2 + d]! - 1) +
    1 +
    extra[d];
  const shape = [x.shape[0]!, weight.shape[1]! * g.groups, extent(0), extent(1)];
  const y = conv2dInputGrad(x, weight, shape, g);
  return options.bias ? add(y, reshape(options.bias, [1, shape[1]!, 1, 1])) : y;
}

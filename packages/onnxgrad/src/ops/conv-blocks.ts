/**
 * @module Convolutions by ONNX Runtime's blocked kernels, which hold the channels of a pixel together in blocks as wide as
 * the processor's vectors: no windows are copied. For weights that stay ONNX Runtime brings a model to them by itself;
 * here are those that a training step learns, brought to their layout in every run.
 */
import type { Shape } from "../trace/tensor.ts";
import type { ConvGeometry, ConvShapes } from "./conv-geometry.ts";
import type { LowerContext } from "./define-op.ts";
import { reshaped, reversed, transposed } from "./emit.ts";

/** The domain of ONNX Runtime's operators on blocks. They are its own affair: files for others must not have them. */
export const BLOCKS_DOMAIN = "com.microsoft.nchwc";

/** Pixels of an output from which blocks pay for the passes that make and undo them. */
const PIXELS = 64;
/** Pairs of channels up to which the weights are small enough to be rearranged in every run. */
const PAIRS = 2 ** 15;

/** Whether the convolution of these shapes is to be run by blocks: where `w` varies from run to run. */
export function fitsBlocks(
  { block, isFixed }: LowerContext,
  w: string,
  { w: [o, c, kh, kw], y: [, , oh, ow] }: ConvShapes,
  g: ConvGeometry,
): boolean {
  return (
    block !== undefined &&
    g.groups === 1 &&
    kh! * kw! > 1 &&
    c! % block === 0 &&
    o! % block === 0 &&
    oh! * ow! >= PIXELS &&
    o! * c! <= PAIRS &&
    !isFixed(w)
  );
}

/** y = conv(x, w) + bias. */
export function blockedConv(
  context: LowerContext,
  x: string,
  w: string,
  bias: string | undefined,
  shape: Shape,
  g: ConvGeometry,
): string {
  const [o, c, kh, kw] = shape as [number, number, number, number];
  // [o, c taps] -> [c taps, o]: moving one axis is a fast copy, and what is left to move are whole rows.
  const rows = reshaped(context, w, [o, c * kh * kw]);
  const turned = transposed(context, rows, [1, 0]);
  const block = context.block!;
  const apart = reshaped(context, turned, [c / block, block, kh * kw, o / block, block]);
  return convolve(context, x, transposed(context, apart, [3, 0, 2, 1, 4]), shape, bias, g);
}

/**
 * The input gradient of a convolution of stride 1, which is one with the taps in reverse and inputs and outputs exchanged.
 */
export function blockedInputGrad(
  context: LowerContext,
  y: string,
  w: string,
  shape: Shape,
  g: ConvGeometry,
): string {
  const [o, c, kh, kw] = shape as [number, number, number, number];
  const taps = kh * kw;
  const block = context.block!;
  const last = transposed(context, reshaped(context, w, [o, c, taps]), [0, 2, 1]); // [o, taps, c]
  const apart = reshaped(context, reversed(context, last, 1, taps), [
    o / block,
    block,
    taps,
    c / block,
    block,
  ]);
  return convolve(context, y, transposed(context, apart, [3, 0, 2, 1, 4]), [c, o, kh, kw], undefined, g);
}

/** Convolution of x with weights [o / block, c / block, taps, block of c, block of o]. */
function convolve(
  context: LowerContext,
  x: string,
  blocks: string,
  shape: Shape,
  bias: string | undefined,
  { stride, padding, dilation }: ConvGeometry,
): string {
  const [o, , kh, kw] = shape as [number, number, number, number];
  const emit = (opType: string, inputs: readonly string[], attrs: object) =>
    context.emit(opType, inputs, { ...attrs, domain: BLOCKS_DOMAIN })[0]!;
  const weight = reshaped(context, blocks, shape);
  const seen = emit("ReorderInput", [x], {});
  const made = emit("Conv", [seen, weight, ...(bias === undefined ? [] : [bias])], {
    attrs: {
      kernel_shape: [BigInt(kh), BigInt(kw)],
      strides: stride.map(BigInt),
      pads: [...padding, ...padding].map(BigInt),
      dilations: dilation.map(BigInt),
      group: 1n,
    },
  });
  return emit("ReorderOutput", [made], { attrs: { channels: BigInt(o) } });
}

/**
 * @module Convolutions by ONNX Runtime's blocked kernels (blocked.ts): no windows are copied. For weights that stay the
 * runtime brings a model to them by itself; here are those that a training step learns, brought to their layout in every
 * run.
 */
import { convOfBlocks, fromBlocks, LEARNED_PAIRS, toBlocks } from "./blocked.ts";
import type { Shape } from "../trace/tensor.ts";
import type { ConvGeometry, ConvShapes } from "./conv-geometry.ts";
import type { LowerContext } from "./define-op.ts";
import { reshaped, reversed, swapped, transposed } from "./emit.ts";

/** Pixels of an output from which blocks pay for the passes that make and undo them. */
const PIXELS = 64;

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
    o! * c! <= LEARNED_PAIRS &&
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
  // Moving one axis is a fast copy, and what is left to move are whole rows.
  const taps = transposed(context, reshaped(context, w, [o, c * kh * kw]), [1, 0]); // [c taps, o]
  return convolve(context, x, taps, bias, shape, g);
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
  const rows = swapped(context, reshaped(context, w, [o, c, kh * kw]), [o, c, kh * kw]); // [o, taps, c]
  const taps = reversed(context, rows, 1, kh * kw);
  return convolve(context, y, taps, undefined, [c, o, kh, kw], g);
}

/** Convolution of x with a weight of `shape` [out, in, kh, kw] that is given in the order of [in, taps, out]. */
function convolve(
  context: LowerContext,
  x: string,
  taps: string,
  bias: string | undefined,
  shape: Shape,
  g: ConvGeometry,
): string {
  const [out, from, kh, kw] = shape as [number, number, number, number];
  const block = context.block!;
  const apart = reshaped(context, taps, [from / block, block, kh * kw, out / block, block]);
  const weight = reshaped(context, transposed(context, apart, [3, 0, 2, 1, 4]), shape);
  return fromBlocks(context, convOfBlocks(context, toBlocks(context, x), weight, bias, [kh, kw], g), out);
}

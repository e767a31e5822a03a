/**
 * @module Convolutions with few pixels as matrix products over the whole batch: every window becomes a row. ONNX Runtime's
 * Conv works image by image, where 16 pixels can neither use its threads nor fill its matrix kernels. The windows are
 * gathered by index, one copy.
 */
import type { Shape } from "../trace/tensor.ts";
import type { ConvGeometry, ConvShapes } from "./conv-geometry.ts";
import type { LowerContext } from "./define-op.ts";
import { emit1, reshaped, swapped, transposed } from "./emit.ts";

/** Pixels up to which convolutions are faster by windows, and up to which they are with several threads. */
const PIXELS = 25;
const PIXELS_OF_THREADS = 64;

/**
 * Whether the convolution by `weight` with output `y` is to be run by windows: about twice as fast at 4 x 4 pixels. For a
 * weight that stays, ONNX Runtime has something better above that (blocked.ts).
 */
export function isSmall(
  { threads, isFixed }: LowerContext,
  weight: string,
  { w: [, , kh, kw], y: [n, , oh, ow] }: ConvShapes,
  { groups }: ConvGeometry,
): boolean {
  const pixels = threads > 1 && !isFixed(weight) ? PIXELS_OF_THREADS : PIXELS;
  return groups === 1 && kh! * kw! > 1 && oh! * ow! <= pixels && n! >= 8;
}

/** [n, c, h, w] -> [n, h, w, c] with the shape `dims`. */
const channelsLast = (context: LowerContext, value: string, dims: Shape): string =>
  reshaped(context, transposed(context, value, [0, 2, 3, 1]), dims);

/** [n * h * w, c] -> [n, c, h, w]. */
function channelsFirst(context: LowerContext, rows: string, [n, c, h, w]: Shape): string {
  return transposed(context, reshaped(context, rows, [n!, h!, w!, c!]), [0, 3, 1, 2]);
}

/** Every window as a row: [n * oh * ow, kh * kw * c], the taps in reverse when `flip`. */
function windowRows(
  context: LowerContext,
  x: string,
  { x: xShape, w: [, , kh, kw], y: [, , oh, ow] }: ConvShapes,
  { padding: [ph, pw], stride, dilation }: ConvGeometry,
  flip = false,
): string {
  const [n, c, height, width] = xShape as [number, number, number, number];
  const outside = height * width;
  const pixels = channelsLast(context, x, [n, outside, c]);
  // One more pixel, of zeros, stands for everything outside.
  const source =
    ph > 0 || pw > 0 ? emit1(context, "Pad", [pixels, context.ints([0, 0, 0, 0, 1, 0])]) : pixels;
  const indices: number[] = [];
  const offsets = Array.from({ length: kh! * kw! }, (_, tap) => [Math.floor(tap / kw!), tap % kw!] as const);
  if (flip) offsets.reverse();
  for (let r = 0; r < oh!; r++)
    for (let s = 0; s < ow!; s++)
      for (const [i, j] of offsets) {
        const row = r * stride[0] - ph + i * dilation[0];
        const column = s * stride[1] - pw + j * dilation[1];
        const inside = row >= 0 && row < height && column >= 0 && column < width;
        indices.push(inside ? row * width + column : outside);
      }
  const windows = emit1(context, "Gather", [source, context.ints(indices)], { attrs: { axis: 1n } });
  return reshaped(context, windows, [n * oh! * ow!, kh! * kw! * c]);
}

/** y = conv(x, w) + bias: windows [n oh ow, kh kw c] x weight [out, kh kw c] transposed. */
export function windowConv(
  context: LowerContext,
  x: string,
  w: string,
  bias: string | undefined,
  shapes: ConvShapes,
  g: ConvGeometry,
): string {
  const [out, c, kh, kw] = shapes.w as [number, number, number, number];
  const taps = kh * kw;
  const apart = swapped(context, reshaped(context, w, [out, c, taps]), [out, c, taps]);
  const matrix = reshaped(context, apart, [out, taps * c]);
  const rows = windowRows(context, x, shapes, g);
  const inputs = bias === undefined ? [rows, matrix] : [rows, matrix, bias];
  const product = emit1(context, "Gemm", inputs, { attrs: { transB: 1n } });
  return channelsFirst(context, product, shapes.y);
}

/**
 * Input gradient at stride 1: flipped windows of the output's gradient (`shapes.x`) x weight [kh kw out, c], to
 * `shapes.y`; `shapes.w` is the weight of the forward pass, `back` the geometry of the way back.
 */
export function windowInputGrad(
  context: LowerContext,
  y: string,
  w: string,
  shapes: ConvShapes,
  back: ConvGeometry,
): string {
  const [out, c, kh, kw] = shapes.w as [number, number, number, number];
  // Moving one axis is a fast copy, while ONNX Runtime takes six times as long to reverse all three.
  const apart = transposed(context, reshaped(context, w, [out, c, kh * kw]), [2, 0, 1]);
  const matrix = reshaped(context, apart, [kh * kw * out, c]);
  const rows = windowRows(context, y, shapes, back, true);
  return channelsFirst(context, emit1(context, "Gemm", [rows, matrix]), shapes.y);
}

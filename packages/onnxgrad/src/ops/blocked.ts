/**
 * @module ONNX Runtime's layout for convolutions on CPUs: channels of a pixel stand together in blocks as wide as the
 * processor's vectors. In memory [n, c, h, w] is [n, c / block, h, w, block], and a weight [o, c, kh, kw]
 * [o / block, c / block, kh, kw, block (c), block (o)]; the runtime goes on calling them by their shapes.
 */
import { type ConvGeometry, onnxAttrs } from "./conv-geometry.ts";
import type { LowerContext } from "./define-op.ts";
import { emit1 } from "./emit.ts";

/** The domain of operators on blocks. They are the runtime's own affair: files for others must not have them. */
const DOMAIN = "com.microsoft.nchwc";

/** Pairs of channels up to which weights are small enough to be brought to blocks in every run. */
export const LEARNED_PAIRS: number = 2 ** 15;

/** x [n, c, h, w] in blocks. */
export const toBlocks = (context: LowerContext, x: string): string =>
  emit1(context, "ReorderInput", [x], { domain: DOMAIN });

/** The features of so many channels, out of their blocks. */
export const fromBlocks = (context: LowerContext, x: string, channels: number): string =>
  emit1(context, "ReorderOutput", [x], { attrs: { channels: BigInt(channels) }, domain: DOMAIN });

/** conv(x, w) + bias, x, w and the result in blocks. */
export const convOfBlocks = (
  context: LowerContext,
  x: string,
  w: string,
  bias: string | undefined,
  kernel: readonly [number, number],
  g: ConvGeometry,
): string =>
  emit1(context, "Conv", bias === undefined ? [x, w] : [x, w, bias], {
    attrs: { ...onnxAttrs(g), kernel_shape: kernel.map(BigInt) },
    domain: DOMAIN,
  });

/**
 * @module The kernel of a blur from a picture of it: how light each pixel is, times its alpha. Painted in one colour, a
 * kernel is what it is in white.
 */
import { UserError } from "onnxgrad";
import type { BlurKernel } from "../diffusion/measurements/blur.ts";
import { type Picture, peakOf, strideOf } from "./picture.ts";

/** By how much of its largest weight the channels of a kernel may differ from one colour: what JPEG does to gray. */
const ONE_COLOUR = 0.06;

/**
 * A kernel from a picture, as weights; colours under alpha 0 say nothing, and black paint on transparency weighs by its
 * alpha.
 * @throws UserError `restoration/kernel` when an extent is even, it is black or transparent everywhere, or it has several
 * colours.
 */
export function kernelOf(picture: Picture): BlurKernel {
  const { height, width } = picture;
  const fail = (message: string): UserError => new UserError("restoration/kernel", message);
  if (height % 2 !== 1 || width % 2 !== 1)
    throw fail(
      `the kernel has ${width} x ${height} pixels; it needs odd sides, so that it has a centre. Add a black row or column.`,
    );
  const opacity = opacityOf(picture);
  const channels = Array.from({ length: picture.colours }, (_, c) => weightsOf(picture, c, opacity));
  const totals = channels.map((weights) => weights.reduce((a, b) => a + b));
  const strongest = totals.indexOf(Math.max(...totals));
  const values = channels[strongest]!;
  if (totals[strongest] === 0) {
    if (opacity.some((each) => each !== opacity[0])) return { height, width, values: opacity };
    throw fail(
      `the kernel is ${opacity[0] === 0 ? "transparent" : "black"} everywhere and sums to zero. Paint its weights in white ` +
        `and gray.`,
    );
  }
  const most = Math.max(...values);
  for (const [c, weights] of channels.entries()) {
    const share = totals[c]! / totals[strongest]!;
    if (weights.some((weight, i) => Math.abs(weight - share * values[i]!) > ONE_COLOUR * most))
      throw fail(
        "the kernel has several colours, and which of them are its weights cannot be told. Save it in gray.",
      );
  }
  return { height, width, values };
}

/** Alpha of every pixel, 0..1. */
function opacityOf(picture: Picture): Float64Array {
  const { height, width, samples, colours, alpha } = picture;
  const [stride, peak] = [strideOf(picture), peakOf(picture)];
  return Float64Array.from({ length: height * width }, (_, i) =>
    alpha ? samples[i * stride + colours]! / peak : 1,
  );
}

function weightsOf(picture: Picture, channel: number, opacity: Float64Array): Float64Array {
  const stride = strideOf(picture);
  return opacity.map((each, i) => each * picture.samples[i * stride + channel]!);
}

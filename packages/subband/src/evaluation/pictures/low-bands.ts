/** @module Low bands of real pictures as a chain of draw steps passes them on, and the step that they are given to. */
import { atOnce, UserError } from "onnxgrad";
import type { DrawStep } from "../../systems/draw.ts";
import type { ImageShape, Pyramid } from "../../systems/system.ts";
import { planes } from "../../wavelet/planes.ts";
import { wavedec2 } from "../../wavelet/wavedec.ts";

/**
 * Means of blocks of 2^level pixels of pictures [n, channels, height, width]: their low band by Haar, in the range of the
 * image, [n, channels, height / 2^level, width / 2^level].
 */
export function blockMeans(images: Float32Array, { height, width }: ImageShape, level: number): Float32Array {
  return atOnce(averagingBlocks(images, { height, width }, level));
}

/** {@link blockMeans} in pieces, a plane each. */
export function* averagingBlocks(
  images: Float32Array,
  { height, width }: Pick<ImageShape, "height" | "width">,
  level: number,
): Generator<void, Float32Array> {
  const area = height * width;
  const means = new Float32Array(images.length / 4 ** level);
  for (let at = 0; at < images.length; at += area) {
    const plane = planes(images.subarray(at, at + area), [height, width]);
    const [{ data }] = wavedec2(plane, "haar", "periodization", level);
    for (const [i, value] of data.entries()) means[at / 4 ** level + i] = value / 2 ** level;
    yield;
  }
  return means;
}

/** The step that gives the low band of `level`. @throws UserError `run/no-bands` when none does. */
export function lowStep(steps: readonly DrawStep[], level: number): number {
  const found = steps.findLastIndex((step) => step.level === level);
  if (level > 0 && found >= 0 && found < steps.length - 1) return found;
  const levels = steps.slice(0, -1).map((step) => step.level);
  throw new UserError(
    "run/no-bands",
    levels.length === 0
      ? "This run draws images in one step, without a low band that could be exchanged for a real one."
      : `This run makes no low band of level ${level}; known: ${levels.join(", ")}.`,
  );
}

/** What the chain passes on for image-range low bands of `level`. */
export function toChain(low: Float32Array, pyramid: Pyramid, level: number): Float32Array {
  const { offset, scale } = pyramid.passes?.(level) ?? { offset: 0, scale: 1 };
  return low.map((value) => offset + scale * value);
}

/** The inverse of {@link toChain}. */
export function fromChain(passed: Float32Array, pyramid: Pyramid, level: number): Float32Array {
  const { offset, scale } = pyramid.passes?.(level) ?? { offset: 0, scale: 1 };
  return passed.map((value) => (value - offset) / scale);
}

/** @module Batches of labelled images, mirrored and moved at random, with the targets of their classes. */
import { rng } from "onnxgrad";
import { batchIndices } from "../../packages/subband/src/images/batches.ts";
import type { ImageSource } from "../../packages/subband/src/images/image-source.ts";

/** Pixels by which a training image is moved at most, each way. */
const SHIFT = 4;
/** Share of a target that is spread over all classes. */
const SMOOTHING = 0.1;

/** Images [n, c, h, w] in [-1, 1] and targets [n, classes], which add up to 1 a row. */
export interface LabelledBatch {
  readonly images: Float32Array;
  readonly targets: Float32Array;
}

/**
 * Writes the images that follow the first `seen` of a training, mirrored and moved over a border of grey, by up to 4
 * pixels each way. Which images, and how, is a function of (seed, seen).
 */
export function fillMoved(
  source: ImageSource,
  { seed, seen }: { readonly seed: number; readonly seen: number },
  { images, targets }: LabelledBatch,
): void {
  const { channels, height, width } = source;
  const size = channels * height * width;
  const batch = images.length / size;
  const classes = targets.length / batch;
  const { indices, flips } = batchIndices(seed, seen, batch, source.count, { flip: true });
  const pixels = new Float32Array(size);
  images.fill(0);
  targets.fill(SMOOTHING / classes);
  for (const [i, index] of indices.entries()) {
    source.read(index, flips[i] === 1, pixels, 0);
    targets[i * classes + source.labels![index]!]! += 1 - SMOOTHING;
    const random = rng(seed, "shift", seen + i);
    const [dy, dx] = [random.below(2 * SHIFT + 1) - SHIFT, random.below(2 * SHIFT + 1) - SHIFT];
    for (let row = 0; row < channels * height; row++) {
      const y = (row % height) + dy;
      if (y < 0 || y >= height) continue;
      const from = (row + dy) * width;
      const kept = pixels.subarray(from + Math.max(dx, 0), from + width + Math.min(dx, 0));
      images.set(kept, i * size + row * width + Math.max(-dx, 0));
    }
  }
}

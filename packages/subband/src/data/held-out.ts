/**
 * @module Keeps some images of a data set from training, to judge what was learned on images never trained on. Which ones
 * is a property of the data, not of a run, so that runs of any seed are judged by the same images.
 */
import { invariant, rng } from "onnxgrad";
import type { Dataset } from "./dataset.ts";

/** The part of a {@link Dataset} that is read by number. */
export type ImageSource = Pick<Dataset, "channels" | "height" | "width" | "count" | "read">;

/** The two parts of a data set. */
export interface DatasetSplit {
  readonly training: ImageSource;
  /** In random order, so that the first ones represent all. */
  readonly heldOut: ImageSource;
}

/** Held-out images of a set: every fiftieth, at most so many. */
const MOST_HELD_OUT = 256;

/** How many images of a new run are held out: 2 %, at most 256, none of fewer than 50. */
export function heldOutCount(count: number): number {
  return Math.min(MOST_HELD_OUT, Math.floor(count / 50));
}

/**
 * Divides a data set. With 0 images held out, training has them all, and `heldOut` shows up to 256 of those: what is
 * measured on them says how well they were learned by heart, too.
 */
export function splitDataset(dataset: Dataset, heldOut: number): DatasetSplit {
  const { count } = dataset;
  invariant(heldOut >= 0 && heldOut < count, `${heldOut} of ${count} images held out`);
  const shuffled = rng(0, "held-out").permutation(count);
  const training = heldOut === 0 ? dataset : selected(dataset, shuffled.slice(heldOut).sort());
  return { training, heldOut: selected(dataset, shuffled.subarray(0, heldOut || MOST_HELD_OUT)) };
}

function selected({ channels, height, width, read }: Dataset, indices: Uint32Array): ImageSource {
  return {
    channels,
    height,
    width,
    count: indices.length,
    read(index, flip, into, offset) {
      invariant(index >= 0 && index < indices.length, `image ${index} of ${indices.length}`);
      read(indices[index]!, flip, into, offset);
    },
  };
}

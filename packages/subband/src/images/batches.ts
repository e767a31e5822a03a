/**
 * @module Which images, in which order, mirrored or not: a pure function of (seed, images seen), so that a run resumes
 * with nothing but a counter, and batch size or crashes never change the sequence.
 */
import { invariant } from "onnxgrad/errors";
import { rng } from "onnxgrad/random";
import type { ImageSource } from "./image-source.ts";

/** The images of one batch. */
export interface BatchIndices {
  /** Image numbers in 0..count-1, `[n]`. */
  readonly indices: Uint32Array;
  /** 1 where the image is mirrored left to right, `[n]`. */
  readonly flips: Uint8Array;
}

/** Options of {@link batchIndices}. */
export interface BatchOptions {
  /** Mirror each image with probability 1/2. Default false. */
  readonly flip?: boolean;
}

/**
 * The `batchSize` images that follow the first `imagesSeen` of a run over `count` images. Every epoch visits each image
 * once, in an order of its own; a batch may straddle two epochs. Cutting the same sequence into other batch sizes gives
 * the same images and flips.
 */
export function batchIndices(
  seed: number,
  imagesSeen: number,
  batchSize: number,
  count: number,
  options: BatchOptions = {},
): BatchIndices {
  invariant(count > 0, "a batch of an empty data set");
  const indices = new Uint32Array(batchSize);
  const flips = new Uint8Array(batchSize);
  for (let i = 0; i < batchSize; i++) {
    const number = imagesSeen + i;
    const epoch = Math.floor(number / count);
    indices[i] = epochOrder(seed, epoch, count)[number - epoch * count]!;
    if (options.flip === true) flips[i] = rng(seed, "flip", number).uint32() & 1;
  }
  return { indices, flips };
}

/**
 * Reads a batch into `out` as `[n, channels, height, width]` in [-1, 1] and returns `out`.
 *
 * @example
 * const batch = batchIndices(seed, imagesSeen, 64, dataset.count, { flip: true });
 * fillBatch(dataset, batch, pixels);
 */
export function fillBatch(dataset: ImageSource, batch: BatchIndices, out: Float32Array): Float32Array {
  const size = dataset.channels * dataset.height * dataset.width;
  const n = batch.indices.length;
  invariant(out.length === n * size, `batch buffer of ${out.length} samples for ${n} images of ${size}`);
  for (let i = 0; i < n; i++) dataset.read(batch.indices[i]!, batch.flips[i] === 1, out, i * size);
  return out;
}

/** Orders of the latest epochs: a memo only, the order itself is pure. Two runs may take turns, hence four. */
const recentOrders = new Map<string, Uint32Array>();
const RECENT_ORDERS = 4;

function epochOrder(seed: number, epoch: number, count: number): Uint32Array {
  const key = `${seed}/${epoch}/${count}`;
  let order = recentOrders.get(key);
  if (order === undefined) {
    order = rng(seed, "epoch", epoch).permutation(count);
    if (recentOrders.size >= RECENT_ORDERS) recentOrders.delete(recentOrders.keys().next().value!);
    recentOrders.set(key, order);
  }
  return order;
}

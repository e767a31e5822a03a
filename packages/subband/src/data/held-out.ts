/**
 * @module Keeps some images of a data set from training, to judge what was learned on images never trained on. Which ones
 * is a property of the data, not of a run, so that runs of any seed are judged by the same images. Images of one picture,
 * and copies of a picture, are kept together: patches of a picture share its pixels.
 */
import { inSlices } from "onnxgrad";
import { invariant } from "onnxgrad/errors";
import { rng } from "onnxgrad/random";
import type { ImageSource } from "../images/image-source.ts";
import type { Dataset } from "./dataset.ts";
import { pixelDigest } from "./pixel-digest.ts";

/** The two parts of a data set. */
export interface DatasetSplit {
  readonly training: ImageSource;
  /** In random order, so that the first ones represent all. */
  readonly heldOut: ImageSource;
}

/** What is held out whole: pictures, with all that was cut from them; or, in runs of before, single images. */
export type HeldOutBy = "pictures" | "images";

/** Held-out images of a set: every fiftieth, at most so many. */
const MOST_HELD_OUT = 256;
/** Of few large pictures, a whole one may be more than a fiftieth, but never more than this part of all images. */
const MOST_SHARE = 1 / 3;

/** How many images of a new run are to be held out: 2 %, at most 256, none of fewer than 50. */
export function heldOutCount(count: number): number {
  return Math.min(MOST_HELD_OUT, Math.floor(count / 50));
}

/**
 * How many images of a new run are held out with whole pictures: at least {@link heldOutCount}, as few more as whole
 * pictures allow, and none where that would be over a third of all (of two pictures, say).
 */
export async function wholePicturesCount(dataset: Dataset): Promise<number> {
  const wanted = heldOutCount(dataset.count);
  const most = Math.max(wanted, Math.floor(dataset.count * MOST_SHARE));
  const sizes = sizesOf(await picturesOf(dataset));
  for (let limit = wanted; ; limit = Math.min(most, 2 * limit)) {
    const count = [...chosenPictures(sizes, limit, wanted)].reduce((total, i) => total + sizes[i]!, 0);
    if (count >= wanted || limit === most) return count;
  }
}

/**
 * Divides a data set. With 0 images held out, training has them all, and `heldOut` shows up to 256 of those: what is
 * measured on them says how well they were learned by heart, too. By `pictures`, `heldOut` is what
 * {@link wholePicturesCount} found.
 */
export async function splitDataset(
  dataset: Dataset,
  heldOut: number,
  by: HeldOutBy = "pictures",
): Promise<DatasetSplit> {
  const { count } = dataset;
  invariant(heldOut >= 0 && heldOut < count, `${heldOut} of ${count} images held out`);
  const shuffled = rng(0, "held-out").permutation(count);
  if (heldOut === 0)
    return { training: dataset, heldOut: selected(dataset, shuffled.subarray(0, MOST_HELD_OUT)) };
  if (by === "images")
    return {
      training: selected(dataset, shuffled.slice(heldOut).sort()),
      heldOut: selected(dataset, shuffled.subarray(0, heldOut)),
    };
  const pictures = await picturesOf(dataset);
  const chosen = chosenPictures(sizesOf(pictures), heldOut, heldOut);
  const isHeldOut = (i: number): boolean => chosen.has(pictures[i]!);
  return {
    training: selected(dataset, shuffled.filter((i) => !isHeldOut(i)).sort()),
    heldOut: selected(dataset, shuffled.filter(isHeldOut)),
  };
}

/** What {@link picturesOf} found, by the pixels: those of a large set take a second to go over. */
const found = new WeakMap<Uint8Array, Uint32Array>();

/** The picture of each image, numbered by first appearance; images with the same pixels are one picture. */
async function picturesOf({ pictures, pixels, count }: Dataset): Promise<Uint32Array> {
  const known = pictures ?? found.get(pixels);
  if (known !== undefined) return known;
  const numbered = await inSlices(numberingByPixels(pixels, count));
  found.set(pixels, numbered);
  return numbered;
}

function* numberingByPixels(pixels: Uint8Array, count: number): Generator<void, Uint32Array> {
  const size = pixels.length / count;
  const numbers = new Map<string, number>();
  const numbered = new Uint32Array(count);
  for (let i = 0; i < count; i++) {
    const digest = pixelDigest(pixels.subarray(i * size, (i + 1) * size));
    numbered[i] = numbers.get(digest) ?? numbers.size;
    numbers.set(digest, numbered[i]!);
    yield;
  }
  return numbered;
}

/** Images of each picture. */
function sizesOf(pictures: Uint32Array): Uint32Array {
  const sizes = new Uint32Array(pictures.reduce((most, picture) => Math.max(most, picture + 1), 0));
  for (const picture of pictures) sizes[picture]!++;
  return sizes;
}

/**
 * Pictures in random order until there are `wanted` images, passing over those that would make more than `limit`. With
 * the number of images found as both, it finds the same pictures: whatever was passed over is again.
 */
function chosenPictures(sizes: Uint32Array, limit: number, wanted: number): ReadonlySet<number> {
  const chosen = new Set<number>();
  let images = 0;
  for (const picture of rng(0, "held-out").permutation(sizes.length)) {
    if (images >= wanted) break;
    if (images + sizes[picture]! > limit) continue;
    chosen.add(picture);
    images += sizes[picture]!;
  }
  return chosen;
}

function selected({ channels, height, width, labels, read }: Dataset, indices: Uint32Array): ImageSource {
  return {
    ...{ channels, height, width, count: indices.length },
    ...(labels && { labels: Uint8Array.from(indices, (index) => labels[index]!) }),
    read(index, flip, into, offset) {
      invariant(index >= 0 && index < indices.length, `image ${index} of ${indices.length}`);
      read(indices[index]!, flip, into, offset);
    },
  };
}

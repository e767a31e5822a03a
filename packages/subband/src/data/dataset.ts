/**
 * @module A data set in memory: every image decoded, one byte a sample, planar. What trainers and evaluators read;
 * it knows nothing of where the images came from.
 */
import { invariant, UserError } from "onnxgrad/errors";
import type { ImageSource } from "../images/image-source.ts";
import { describeSkipped, type Skipped, type SkippedNames } from "./skipped.ts";

/** Everything of a {@link Dataset} that is stored, rather than computed. */
export interface DatasetContents {
  /** Short name for logs and run files, e.g. `faces`, `cifar10-train` or the folder's name. */
  readonly name: string;
  /** 3 (red, green, blue) or 1 (grey). */
  readonly channels: 1 | 3;
  /** Pixels. */
  readonly height: number;
  /** Pixels. */
  readonly width: number;
  /** All samples, `[count, channels, height, width]`, 0..255. */
  readonly pixels: Uint8Array;
  /** Class of each image `[count]`, where the set has classes. */
  readonly labels?: Uint8Array;
  /** Licence of the images, one phrase, e.g. `CC BY 4.0`. */
  readonly licence: string;
  /** Who made the images and where they are from, one line; travels with every model trained on them. */
  readonly credit: string;
  /** How many were left out, and why. */
  readonly skipped: Skipped;
  /** Which ones: the first of each reason. */
  readonly skippedNames?: SkippedNames;
  /**
   * Number of the picture that each image was cut from `[count]`, in 0.. without gaps, the same for copies of a picture;
   * absent where every image is a picture of its own.
   */
  readonly pictures?: Uint32Array;
  /** SHA-256 of pixels and labels, hex: two sets with the same fingerprint and shape are the same set. */
  readonly fingerprint: string;
}

/** Decoded images of one size, ready to be read in any order. */
export interface Dataset extends DatasetContents, ImageSource {
  /** As of any source of images; a sample v of 0..255 becomes v / 127.5 - 1. */
  read(index: number, flip: boolean, into: Float32Array, offset: number): void;
}

const UNIT = Float32Array.from({ length: 256 }, (_, v) => v / 127.5 - 1);

/** The {@link Dataset} over stored contents; the arrays are shared, not copied. */
export function createDataset(contents: DatasetContents): Dataset {
  const { channels, height, width, pixels, labels, pictures } = contents;
  const size = channels * height * width;
  const count = pixels.length / size;
  invariant(Number.isInteger(count), `${pixels.length} samples are no whole number of ${size}-sample images`);
  invariant(labels === undefined || labels.length === count, `${labels?.length} labels for ${count} images`);
  invariant(
    pictures === undefined || pictures.length === count,
    `${pictures?.length} pictures of ${count} images`,
  );
  return {
    ...contents,
    count,
    read(index, flip, into, offset) {
      invariant(index >= 0 && index < count, `image ${index} of ${count}`);
      invariant(
        offset >= 0 && offset + size <= into.length,
        `${size} samples at ${offset} of ${into.length}`,
      );
      const start = index * size;
      if (!flip) {
        for (let i = 0; i < size; i++) into[offset + i] = UNIT[pixels[start + i]!]!;
        return;
      }
      for (let row = 0; row < size; row += width) {
        const last = start + row + width - 1;
        for (let x = 0; x < width; x++) into[offset + row + x] = UNIT[pixels[last - x]!]!;
      }
    },
  };
}

/**
 * Refuses a data set too small for its use.
 * @throws UserError `data/too-few` when `dataset` has fewer than `minimum` images.
 */
export function requireImages(dataset: Dataset, minimum: number): void {
  if (dataset.count >= minimum) return;
  const left =
    Object.keys(dataset.skipped).length === 0 ? "" : ` (skipped: ${describeSkipped(dataset.skipped)})`;
  throw new UserError(
    "data/too-few",
    `too few images: "${dataset.name}" has ${dataset.count}${left}; at least ${minimum} are needed. ` +
      `Add images, or try --data faces.`,
  );
}

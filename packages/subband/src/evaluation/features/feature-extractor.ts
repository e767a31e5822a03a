/** @module What turns images into rows of features, on which distances between sets of images are computed. */
import type { Backend } from "onnxgrad";
import type { ImageShape } from "../../systems/system.ts";

/** A network whose inner values are features; plain data until it is opened. */
export interface FeatureExtractor {
  /** Short and printable, e.g. `cifar`. */
  readonly name: string;
  /** Features of an image. */
  readonly dimensions: number;
  /** Pixels a side to which images are scaled before; undefined where they go in at their own size. */
  readonly side: number | undefined;
  /** SHA-256, in hex, of the file and of all settings: extractors of one digest give the same features. */
  readonly digest: string;
  /** Compiles it for batches of at most `batch` images; a file that is made for a fixed batch keeps its own. */
  open(backend: Backend, batch: number): Promise<OpenFeatures>;
}

/** A compiled extractor. */
export interface OpenFeatures {
  /**
   * Features [n, dimensions] of images [n, channels, height, width] in [-1, 1]. Images are scaled to `side` where they
   * have another size, each way by itself; grey ones count as red = green = blue. Calls take turns; the images are read
   * until the call has ended.
   * @throws UserError `features/not-finite` when one is no number; `features/width` when images of this size have another
   * number of features; `run/disposed` after `dispose`.
   */
  extract(images: Float32Array, shape: ImageShape, n: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/**
 * What a distance on these features is called: `fd-<name>`. Only the network that FID is defined by (Heusel et al. 2017)
 * gives FID, and an export of it has no fixed bytes to be known by, so no file is taken for it by its name or width.
 */
export function distanceName({ name }: Pick<FeatureExtractor, "name">): string {
  return `fd-${name}`;
}

/** The extents that images are scaled from; undefined where an extractor takes them as they are. */
export function scaledFrom(
  { side }: Pick<FeatureExtractor, "side">,
  { height, width }: ImageShape,
): { readonly height: number; readonly width: number } | undefined {
  return side === undefined || (height === side && width === side) ? undefined : { height, width };
}

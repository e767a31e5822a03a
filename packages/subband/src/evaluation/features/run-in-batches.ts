/** @module Runs a compiled extractor over any number of images, scaled, in colour, a batch at a time. */
import { Lifetime, UserError } from "onnxgrad";
import type { ImageShape } from "../../systems/system.ts";
import type { OpenFeatures } from "./feature-extractor.ts";
import { scaleImages } from "./scale-images.ts";

/** A program for batches of one size. */
export interface FeatureProgram {
  run(
    feeds: { readonly images: Float32Array },
    options: { readonly reuse: boolean },
  ): Promise<{ readonly features: Float32Array }>;
  dispose(): Promise<void>;
}

/** What is run. */
export interface BatchedFeatures {
  /** Pixels to which images are scaled; undefined: they stay as they are. */
  readonly side: number | undefined;
  readonly dimensions: number;
  readonly batch: number;
  /** Makes the program for images [batch, 3, height, width] in [-1, 1]. */
  compile(batch: number, height: number, width: number): Promise<FeatureProgram>;
}

/** Opens an extractor; the program for a fixed side is compiled at once, those for others with the first images. */
export async function runInBatches({
  side,
  dimensions,
  batch,
  compile,
}: BatchedFeatures): Promise<OpenFeatures> {
  let current:
    { readonly height: number; readonly width: number; readonly program: FeatureProgram } | undefined;
  const programFor = async (height: number, width: number): Promise<FeatureProgram> => {
    if (current?.height === height && current.width === width) return current.program;
    await current?.program.dispose();
    current = undefined;
    current = { height, width, program: await compile(batch, height, width) };
    return current.program;
  };
  if (side !== undefined) await programFor(side, side);
  const lifetime = new Lifetime({
    what: "extractor",
    again: "Open it again",
    free: () => current?.program.dispose(),
  });
  const extract = async (images: Float32Array, shape: ImageShape, n: number): Promise<Float32Array> => {
    const [height, width] = [side ?? shape.height, side ?? shape.width];
    const program = await programFor(height, width);
    const features = new Float32Array(n * dimensions);
    const size = shape.channels * shape.height * shape.width;
    const fed = new Float32Array(batch * 3 * height * width);
    for (let first = 0; first < n; first += batch) {
      const count = Math.min(batch, n - first);
      const pixels = images.subarray(first * size, (first + count) * size);
      fillColours(pixels, shape, count, [height, width], fed);
      const rows = (await program.run({ images: fed }, { reuse: true })).features;
      requireFinite(rows, count, dimensions, first);
      features.set(rows.subarray(0, count * dimensions), first * dimensions);
    }
    return features;
  };
  return {
    extract: (images, shape, n) => lifetime.run(() => extract(images, shape, n)),
    dispose: () => lifetime.dispose(),
  };
}

/** Writes `count` images as [count, 3, height, width]; what lies behind them stays. */
function fillColours(
  images: Float32Array,
  { channels, height, width }: ImageShape,
  count: number,
  [newHeight, newWidth]: readonly [number, number],
  into: Float32Array,
): void {
  const scaled =
    height === newHeight && width === newWidth
      ? images
      : scaleImages(images, count * channels, [height, width], [newHeight, newWidth]);
  if (channels === 3) return into.set(scaled);
  const plane = newHeight * newWidth;
  for (let i = 0; i < 3 * count; i++) {
    const image = Math.floor(i / 3);
    into.set(scaled.subarray(image * plane, (image + 1) * plane), i * plane);
  }
}

function requireFinite(rows: Float32Array, count: number, dimensions: number, first: number): void {
  const at = rows.subarray(0, count * dimensions).findIndex((value) => !Number.isFinite(value));
  if (at >= 0)
    throw new UserError(
      "features/not-finite",
      `feature ${at % dimensions} of image ${first + Math.floor(at / dimensions)} is ${rows[at]}. ` +
        "Check the images, the range of pixels that the file takes, and the layer.",
    );
}

/**
 * @module The picture of how far a training is: a grid of samples, or for a denoiser rows of noisy, denoised and clean
 * images. Drawn with fixed noise, so that two moments differ by their weights alone.
 */
import { type Backend, type NamedArray, rng } from "onnxgrad";
import type { ImageSource } from "../images/image-source.ts";
import { compileDenoiser } from "../systems/parts/local/denoiser.ts";
import { compileDraw } from "../drawing/compile-draw.ts";
import type { ImageShape, LocalCodec, System } from "../systems/system.ts";
import type { PreviewDrawing } from "../loop/memory.ts";
import { type PlanarImages, saveGrid } from "./sample-grid.ts";

/** What a preview is drawn from. */
export interface PreviewOptions {
  readonly backend: Backend;
  readonly system: System;
  /** Images that were not trained on, where there are any. */
  readonly heldOut: ImageSource;
  readonly seed: number;
}

/** Samples on a grid. */
const SAMPLES = 36;
/** Deviations of the noise, of 255, one a row; one image each. */
const NOISE = [10, 25, 50, 100, 200];

/** Writes the preview of the arrays of a checkpoint to the PNG file `path`. */
export async function drawPreview(
  path: string,
  tensors: ReadonlyMap<string, NamedArray>,
  { backend, system, heldOut, seed }: PreviewOptions,
): Promise<void> {
  const { draw, local, image } = system;
  if (local !== undefined)
    return saveGrid(path, await denoisedRows(backend, local, image, tensors, heldOut), { columns: 3 });
  const { steps, batch } = previewDrawing(draw);
  const drawing = await compileDraw(backend, steps, tensors, batch);
  const { data } = await drawing.run({ seed, count: SAMPLES });
  await drawing.dispose();
  await saveGrid(path, { data, n: SAMPLES, ...image });
}

/** What {@link drawPreview} draws all samples of at once, of a system that is no denoiser. */
export function previewDrawing(draw: System["draw"]): PreviewDrawing {
  return { steps: draw.steps(draw.choose({})), batch: SAMPLES };
}

/** Rows of noisy, denoised and clean: held-out images under noise of growing strength. */
export async function denoisedRows(
  backend: Backend,
  local: LocalCodec,
  { channels, height, width }: ImageShape,
  tensors: ReadonlyMap<string, NamedArray>,
  source: ImageSource,
): Promise<PlanarImages> {
  const size = channels * height * width;
  const clean = new Float32Array(NOISE.length * size);
  for (let i = 0; i < NOISE.length; i++) source.read(i % source.count, false, clean, i * size);
  const noise = rng(0, "preview-noise").fillNormal(new Float32Array(clean.length));
  // Noise in the units of images in [0, 1], where [-1, 1] has twice as much.
  const noisy = clean.map((v, i) => (v + 1) / 2 + (noise[i]! * NOISE[Math.floor(i / size)]!) / 255);
  const denoiser = await compileDenoiser(backend, local.model(tensors), [
    NOISE.length,
    channels,
    height,
    width,
  ]);
  const { image } = await denoiser.run(noisy);
  const data = new Float32Array(3 * clean.length);
  const place = (column: number, values: Float32Array, pixel: (v: number) => number) => {
    for (let i = 0; i < values.length; i++)
      data[(3 * Math.floor(i / size) + column) * size + (i % size)] = pixel(values[i]!);
  };
  place(0, noisy, (v) => 2 * v - 1);
  place(1, image, (v) => 2 * v - 1);
  place(2, clean, (v) => v);
  await denoiser.dispose();
  return { data, n: 3 * NOISE.length, channels, height, width };
}

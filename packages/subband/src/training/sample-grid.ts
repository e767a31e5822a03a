/**
 * @module Pictures of samples: planar numbers in [-1, 1] become PNG files, one by one or as a grid, enlarged by whole
 * factors so that every pixel of a small image stays a square.
 */
import { join } from "node:path";
import { invariant } from "onnxgrad";
import { writeFileAtomic } from "./atomic-file.ts";

/** What each image is. */
export interface ImageShape {
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** Images as the samplers give them. */
export interface PlanarImages extends ImageShape {
  /** `[n, channels, height, width]` in [-1, 1]; what lies outside is clipped. */
  readonly data: Float32Array;
  readonly n: number;
}

/** One picture, as an encoder takes it. */
export interface Pixels {
  /** `[height, width, channels]`, 0..255. */
  readonly data: Uint8Array;
  readonly channels: 1 | 3;
  readonly height: number;
  readonly width: number;
}

/** Options of {@link gridPixels}. */
export interface GridOptions {
  /** Images a row. Default: the squarest grid, wider than high. */
  readonly columns?: number | undefined;
  /** Pixels between images and around them. Default 2. */
  readonly padding?: number | undefined;
  /** Whole factor of enlargement. Default: the largest that keeps the longer side within 128 pixels. */
  readonly scale?: number | undefined;
  /** Grey level between the images, 0..255. Default 255. */
  readonly background?: number | undefined;
}

/** Longer side, in pixels, that small images are enlarged towards. */
const COMFORTABLE_SIDE = 128;

/** v in [-1, 1] as a sample 0..255, rounded; the inverse of v / 127.5 - 1. NaN becomes 0. */
export function toSample(v: number): number {
  return Math.min(255, Math.max(0, Math.round((v + 1) * 127.5))) || 0;
}

/** Image `index` alone, enlarged `scale` times. */
export function imagePixels(images: PlanarImages, index: number, scale = 1): Pixels {
  const { channels, height, width } = images;
  const picture = blank(channels, height * scale, width * scale, 0);
  draw(images, index, picture, 0, 0, scale);
  return picture;
}

/** All images in rows, in order, from the top left. */
export function gridPixels(images: PlanarImages, options: GridOptions = {}): Pixels {
  const { n, channels, height, width } = images;
  invariant(n > 0 && images.data.length === n * channels * height * width, `grid of ${n} images`);
  const { background = 255 } = options;
  const { columns, padding, scale } = layoutOf(n, images, options);
  const stepY = height * scale + padding;
  const stepX = width * scale + padding;
  const size = gridSize(n, images, options);
  const grid = blank(channels, size.height, size.width, background);
  for (let i = 0; i < n; i++) {
    const row = Math.floor(i / columns);
    draw(images, i, grid, padding + row * stepY, padding + (i - row * columns) * stepX, scale);
  }
  return grid;
}

/** Pixels of the grid of `n` images, before there are any. */
export function gridSize(
  n: number,
  shape: ImageShape,
  options: GridOptions = {},
): { readonly height: number; readonly width: number } {
  const { columns, padding, scale } = layoutOf(n, shape, options);
  return {
    height: Math.ceil(n / columns) * (shape.height * scale + padding) + padding,
    width: columns * (shape.width * scale + padding) + padding,
  };
}

function layoutOf(
  n: number,
  { height, width }: ImageShape,
  options: GridOptions,
): {
  readonly columns: number;
  readonly padding: number;
  readonly scale: number;
} {
  const {
    columns = Math.ceil(Math.sqrt(n)),
    padding = 2,
    scale = Math.max(1, Math.floor(COMFORTABLE_SIDE / Math.max(height, width))),
  } = options;
  return { columns, padding, scale };
}

/** The picture as the bytes of a PNG file. */
export async function encodePng({ data, channels, height, width }: Pixels): Promise<Uint8Array> {
  const { default: sharp } = await import("sharp"); // takes a while to load
  return sharp(data, { raw: { width, height, channels }, limitInputPixels: false })
    .toColourspace(channels === 1 ? "b-w" : "srgb")
    .png()
    .toBuffer();
}

/**
 * Writes a grid of all images to the PNG file `path`, whole or not at all.
 * @throws UserError `file/...` of `writeFileAtomic`.
 */
export async function saveGrid(path: string, images: PlanarImages, options: GridOptions = {}): Promise<void> {
  writeFileAtomic(path, await encodePng(gridPixels(images, options)));
}

/**
 * Writes each image, at its own size, to `DIR/00000.png`, `DIR/00001.png`, ..., counted from `first`. The folder must exist.
 * `onFile` is told of each file when it is written; throw from it to stop.
 * @throws UserError `file/...` of `writeFileAtomic`.
 */
export async function saveEach(
  dir: string,
  images: PlanarImages,
  first = 0,
  onFile?: () => void,
): Promise<void> {
  for (let i = 0; i < images.n; i++) {
    const path = join(dir, eachName(first + i));
    writeFileAtomic(path, await encodePng(imagePixels(images, i)));
    onFile?.();
  }
}

/** `00012.png` of image 12. */
export function eachName(index: number): string {
  return `${String(index).padStart(5, "0")}.png`;
}

function blank(channels: 1 | 3, height: number, width: number, level: number): Pixels {
  return { data: new Uint8Array(height * width * channels).fill(level), channels, height, width };
}

/** Draws image `index` into `into`, its top left corner at (top, left). */
function draw(
  images: PlanarImages,
  index: number,
  into: Pixels,
  top: number,
  left: number,
  scale: number,
): void {
  const { data, channels, height, width } = images;
  const plane = height * width;
  const pixels = into.data;
  const rowLength = into.width * channels;
  for (let y = 0; y < height; y++) {
    const first = (top + y * scale) * rowLength + left * channels;
    for (let c = 0; c < channels; c++) {
      const from = (index * channels + c) * plane + y * width;
      let to = first + c;
      for (let x = 0; x < width; x++) {
        const sample = toSample(data[from + x]!);
        for (let i = 0; i < scale; i++, to += channels) pixels[to] = sample;
      }
    }
    for (let i = 1; i < scale; i++)
      pixels.copyWithin(first + i * rowLength, first, first + width * scale * channels);
  }
}

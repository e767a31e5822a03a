/**
 * @module The picture to look at: one crop of one picture at one noise level, noisy, by every method, and clean, enlarged
 * so that pixels stay squares, each with its name above.
 */
import sharp from "sharp";
import { gridPixels } from "../training/sample-grid.ts";
import type { Picture } from "./noisy-pictures.ts";

/** A square part of a picture. */
export interface Crop {
  readonly top: number;
  readonly left: number;
  readonly side: number;
}

/** One field of the strip. */
export interface StripField {
  readonly label: string;
  /** `[channels, side, side]` around [0, 1]. */
  readonly data: Float32Array;
}

const SCALE = 2;
const PADDING = 6;
const CAPTION = 22;
const MAX_COLUMNS = 5;

/**
 * The square of `side` pixels at most, on a grid of quarters of it, with something to see: the largest product of
 * variance, for shapes, and squared differences between neighbours, for texture and edges.
 */
export function busiestCrop({ data, height, width }: Picture, side: number): Crop {
  const length = Math.min(side, height, width);
  const step = Math.max(1, length >> 2);
  let best: Crop & { readonly score: number } = { top: 0, left: 0, side: length, score: -1 };
  for (let top = 0; top + length <= height; top += step)
    for (let left = 0; left + length <= width; left += step) {
      let [sum, squares, differences] = [0, 0, 0];
      for (let y = top; y < top + length; y++)
        for (let x = left; x < left + length; x++) {
          const v = data[y * width + x]!;
          sum += v;
          squares += v * v;
          if (x > left) differences += (v - data[y * width + x - 1]!) ** 2;
          if (y > top) differences += (v - data[(y - 1) * width + x]!) ** 2;
        }
      const score = (squares - sum ** 2 / length ** 2) * differences;
      if (score > best.score) best = { top, left, side: length, score };
    }
  return { top: best.top, left: best.left, side: best.side };
}

/** The crop of planar values `[channels, height, width]`. */
export function cropOf(
  data: Float32Array,
  { channels, height, width }: Pick<Picture, "channels" | "height" | "width">,
  { top, left, side }: Crop,
): Float32Array {
  const cropped = new Float32Array(channels * side * side);
  for (let at = 0, c = 0; c < channels; c++)
    for (let y = top; y < top + side; y++)
      for (let x = left; x < left + side; x++) cropped[at++] = data[(c * height + y) * width + x]!;
  return cropped;
}

/** The strip as the bytes of a PNG file: at most five fields a row. */
export async function stripPng(
  fields: readonly StripField[],
  channels: 1 | 3,
  side: number,
): Promise<Uint8Array> {
  const columns = Math.min(MAX_COLUMNS, fields.length);
  const rows = Math.ceil(fields.length / columns);
  const step = side * SCALE + PADDING;
  const line = step + CAPTION;
  const [width, height] = [columns * step + PADDING, rows * line + PADDING];
  const place = (i: number) => ({
    left: PADDING + (i % columns) * step,
    top: PADDING + CAPTION + Math.floor(i / columns) * line,
  });
  const pictures = fields.map(({ data }, i) => {
    const range = data.map((v) => 2 * v - 1);
    const pixels = gridPixels(
      { data: range, n: 1, channels, height: side, width: side },
      { columns: 1, padding: 0, scale: SCALE },
    );
    return {
      input: Buffer.from(pixels.data),
      raw: { channels, width: pixels.width, height: pixels.height },
      ...place(i),
    };
  });
  const captions = fields.map(({ label }, i) => {
    const { left, top } = place(i);
    return `<text x="${left}" y="${top - 6}" font-size="13" font-family="DejaVu Sans, Helvetica, Arial, sans-serif" fill="#1a1a1a">${escaped(label)}</text>`;
  });
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${captions.join("")}</svg>`;
  return sharp({ create: { width, height, channels: 3, background: "#ffffff" } })
    .composite([...pictures, { input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer();
}

const escaped = (text: string): string =>
  text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");

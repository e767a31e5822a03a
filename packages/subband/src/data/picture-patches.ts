/**
 * @module Patches of large pictures, for networks that learn local structure: tiles cut from a picture at its own size and
 * at half of it, instead of the whole picture made small. Which tiles depends on the picture's name alone.
 */
import { rng } from "onnxgrad/random";
import type { ImageShape } from "./decode-image.ts";
import type { SkipReason } from "./skip-reason.ts";
import { pixelDigest } from "./pixel-digest.ts";
import { decodePicture, halvePicture, type Picture, toPlanar } from "./decode-image.ts";

/** Where a patch is cut: from the picture made smaller `halvings` times, at a corner in pixels of that. */
export interface PatchPlace {
  readonly halvings: number;
  readonly top: number;
  readonly left: number;
}

/** Sizes that patches are cut from: the picture's own, and half of it. */
const SIZES = 2;

/**
 * Chooses up to `most` tiles of height x width pixels from a picture: of each size a grid of tiles that do not overlap,
 * centred, of which about as many are drawn from either size. In the order of size, then row by row.
 */
export function patchPlaces(
  picture: { readonly height: number; readonly width: number },
  tile: { readonly height: number; readonly width: number },
  most: number,
  name: string,
): PatchPlace[] {
  const grids = Array.from({ length: SIZES }, (_, halvings) => {
    const [height, width] = [picture.height >> halvings, picture.width >> halvings];
    const [rows, columns] = [Math.floor(height / tile.height), Math.floor(width / tile.width)];
    const top = (height - rows * tile.height) >> 1;
    const left = (width - columns * tile.width) >> 1;
    return Array.from({ length: rows * columns }, (_, i): PatchPlace => ({
      halvings,
      top: top + Math.floor(i / columns) * tile.height,
      left: left + (i % columns) * tile.width,
    }));
  });
  // From the smallest on: what it lacks of its part, the larger ones may have.
  const chosen: PatchPlace[] = [];
  for (let halvings = SIZES - 1; halvings >= 0; halvings--) {
    const grid = grids[halvings]!;
    const part = Math.ceil((most - chosen.length) / (halvings + 1));
    const drawn = rng(0, `patches-${name}`, halvings).permutation(grid.length).subarray(0, part);
    chosen.unshift(...[...drawn].sort((a, b) => a - b).map((i) => grid[i]!));
  }
  return chosen;
}

/** Patches of one picture. */
export interface Patches {
  /** One after the other, each `[channels, height, width]`, 0..255. */
  readonly pixels: Uint8Array;
  /** The same for pictures of the same pixels. */
  readonly picture: string;
}

/** Decodes a picture into up to `most` patches of `shape`, or says why not. */
export async function cutPatches(
  bytes: Uint8Array,
  shape: ImageShape,
  { most, name }: { readonly most: number; readonly name: string },
): Promise<Patches | SkipReason> {
  const picture = await decodePicture(bytes);
  if (typeof picture === "string") return picture;
  const places = patchPlaces(picture, shape, most, name);
  if (places.length === 0) return "smaller than a patch";
  const halved = places.some(({ halvings }) => halvings === 1) ? await halvePicture(picture) : picture;
  const size = shape.channels * shape.height * shape.width;
  const patches = new Uint8Array(places.length * size);
  for (const [i, place] of places.entries())
    patches.set(cut(place.halvings === 0 ? picture : halved, place, shape), i * size);
  return {
    pixels: patches,
    picture: pixelDigest(picture.data, picture.stride, `${picture.width}x${picture.height}`),
  };
}

function cut({ data, width, stride }: Picture, { top, left }: PatchPlace, shape: ImageShape): Uint8Array {
  const row = shape.width * stride;
  const interleaved = new Uint8Array(shape.height * row);
  for (let y = 0; y < shape.height; y++) {
    const from = ((top + y) * width + left) * stride;
    interleaved.set(data.subarray(from, from + row), y * row);
  }
  return toPlanar(interleaved, stride, shape);
}

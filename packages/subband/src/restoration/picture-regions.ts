/**
 * @module The parts of a picture that marked pixels and their surroundings lie in: boxes that do not overlap, so that what is
 * far apart is worked on for itself, in time proportional to the boxes' area and not to the picture's.
 */
import { blankLike, type Picture, strideOf } from "./picture.ts";

/** A part of a picture. */
export interface Box {
  readonly top: number;
  readonly left: number;
  readonly height: number;
  readonly width: number;
}

/** First row and column, and those after the last. */
interface Bounds {
  top: number;
  left: number;
  bottom: number;
  right: number;
}

/**
 * Boxes that hold every marked pixel (1 in `marked` [height, width]) with `context` pixels around it, as far as the picture
 * goes. Boxes that overlap are one. From top to bottom, and from left to right.
 */
export function regionsOf(marked: Uint8Array, height: number, width: number, context: number): Box[] {
  const surrounded = markedCells(marked, height, width, context).map(
    ({ top, left, bottom, right }): Bounds => ({
      top: Math.max(0, top - context),
      left: Math.max(0, left - context),
      bottom: Math.min(height, bottom + context),
      right: Math.min(width, right + context),
    }),
  );
  return disjoint(surrounded)
    .map(({ top, left, bottom, right }) => ({ top, left, height: bottom - top, width: right - left }))
    .toSorted((a, b) => a.top - b.top || a.left - b.left);
}

/** Bounds of the marked pixels of each cell of `side` pixels; empty cells are left out. */
function markedCells(marked: Uint8Array, height: number, width: number, side: number): Bounds[] {
  const columns = Math.ceil(width / side);
  const cells: (Bounds | undefined)[] = [];
  for (let y = 0, i = 0; y < height; y++)
    for (let x = 0; x < width; x++, i++) {
      if (marked[i] !== 1) continue;
      const at = Math.floor(y / side) * columns + Math.floor(x / side);
      const cell = (cells[at] ??= { top: y, left: x, bottom: y + 1, right: x + 1 });
      cell.bottom = y + 1;
      cell.left = Math.min(cell.left, x);
      cell.right = Math.max(cell.right, x + 1);
    }
  return cells.filter((cell) => cell !== undefined);
}

/** Joins what overlaps until nothing does. */
function disjoint(boxes: readonly Bounds[]): Bounds[] {
  const kept: Bounds[] = [];
  for (const each of boxes) {
    let box = each;
    for (let i = 0; i < kept.length;) {
      const other = kept[i]!;
      if (!overlap(box, other)) {
        i++;
        continue;
      }
      box = {
        top: Math.min(box.top, other.top),
        left: Math.min(box.left, other.left),
        bottom: Math.max(box.bottom, other.bottom),
        right: Math.max(box.right, other.right),
      };
      kept.splice(i, 1);
      i = 0; // the larger box may reach those before
    }
    kept.push(box);
  }
  return kept;
}

function overlap(a: Bounds, b: Bounds): boolean {
  return a.top < b.bottom && b.top < a.bottom && a.left < b.right && b.left < a.right;
}

/** The index in a picture of that width of pixel i of the box. */
export function insideOf(box: Box, width: number, i: number): number {
  return (box.top + Math.floor(i / box.width)) * width + box.left + (i % box.width);
}

/** The part of a picture in a box. */
export function cropPicture(picture: Picture, box: Box): Picture {
  const stride = strideOf(picture);
  const samples = blankLike(picture.samples, box.height * box.width * stride);
  for (let y = 0; y < box.height; y++) {
    const from = ((box.top + y) * picture.width + box.left) * stride;
    samples.set(picture.samples.subarray(from, from + box.width * stride), y * box.width * stride);
  }
  return { ...picture, height: box.height, width: box.width, samples };
}

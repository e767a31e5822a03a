/**
 * @module Runs a network over an image of any size, tile by tile: reads tiles from wherever the image is, sends them
 * through in batches, and hands out finished rows from top to bottom, so that neither the image nor the result need lie
 * in memory as numbers.
 */
import { shareOf, type TilePlan } from "./tile-plan.ts";

/** What goes through which network, and where to. */
export interface TileTask {
  readonly plan: TilePlan;
  /** Images of the same size that go through the same network, each for itself. */
  readonly images: number;
  /** Channels that the network takes and gives. */
  readonly inputs: number;
  readonly outputs: number;
  /** Width of the image. */
  readonly width: number;
  /** Fills `out` with the tile [inputs, plan.height, plan.width] of an image whose corner is at (y, x). */
  read(image: number, y: number, x: number, out: Float32Array): void;
  /** A batch [plan.batch, inputs, plan.height, plan.width] to [plan.batch, outputs, ...], which may be reused. */
  network(batch: Float32Array): Float32Array | Promise<Float32Array>;
  /** Takes rows y .. y + rows - 1 of the result: [images, outputs, rows, width], reused by the next call. */
  emit(y: number, rows: number, values: Float32Array): void;
  /** Whether the result is wanted anywhere in these rows and columns; what is not is left 0. Default: everywhere. */
  readonly wanted?: Wanted | undefined;
  /** Called when some more of the work, 0..1, is done, and awaited; throw from it to stop. */
  readonly onProgress?: ((done: number) => void | Promise<void>) | undefined;
}

/** Whether anything is wanted of rows `top` .. `bottom` - 1 and columns `left` .. `right` - 1. */
export type Wanted = (top: number, bottom: number, left: number, right: number) => boolean;

/** Runs all tiles of `task` that something is wanted of. */
export async function runTiles(task: TileTask): Promise<void> {
  const { plan, images, inputs, outputs, read, network, wanted, onProgress } = task;
  const area = plan.height * plan.width;
  const rows = collectRows(task);
  const batch = new Float32Array(plan.batch * inputs * area);
  const places = Array.from({ length: plan.rows.length * plan.columns.length * images }, (_, i) =>
    place(task, i),
  ).filter(({ row, column }) => {
    const [down, across] = [plan.rows[row]!, plan.columns[column]!];
    return wanted === undefined || wanted(down.from, down.to, across.from, across.to);
  });
  const total = places.length;
  for (let first = 0; first < total; first += plan.batch) {
    const count = Math.min(plan.batch, total - first);
    for (let k = 0; k < count; k++) {
      const { row, column, image } = places[first + k]!;
      const out = batch.subarray(k * inputs * area, (k + 1) * inputs * area);
      read(image, plan.rows[row]!.start, plan.columns[column]!.start, out);
    }
    const found = await network(batch);
    for (let k = 0; k < count; k++)
      rows.add(places[first + k]!, found.subarray(k * outputs * area, (k + 1) * outputs * area));
    const next = places[first + count];
    rows.finishBefore(next?.row ?? plan.rows.length);
    await onProgress?.((first + count) / total);
  }
  rows.finishBefore(plan.rows.length);
}

/** Where tile `index` lies: images change fastest, rows last. */
interface Place {
  readonly row: number;
  readonly column: number;
  readonly image: number;
}

function place({ plan, images }: TileTask, index: number): Place {
  const perRow = plan.columns.length * images;
  const within = index % perRow;
  return {
    row: Math.floor(index / perRow),
    column: Math.floor(within / images),
    image: within % images,
  };
}

/** Adds tiles up to rows, in order, and hands out those that no later tile reaches. */
function collectRows(task: TileTask): {
  add(at: Place, tile: Float32Array): void;
  /** Hands out what is left of all rows of tiles before this one. */
  finishBefore(row: number): void;
} {
  const { plan, images, outputs, width, emit } = task;
  const planes = images * outputs;
  /** The rows that the current row of tiles keeps, from `top` on: [planes, plan.height, width]. */
  const sums = new Float32Array(planes * plan.height * width);
  let [top, current] = [0, 0];
  const size = plan.height * width;

  const finish = (row: number): void => {
    const end = plan.rows[row + 1]?.from ?? plan.rows[row]!.to;
    const count = end - top;
    const values = new Float32Array(planes * count * width);
    for (let p = 0; p < planes; p++) {
      const plane = sums.subarray(p * size, (p + 1) * size);
      values.set(plane.subarray(0, count * width), p * count * width);
      plane.copyWithin(0, count * width);
      plane.fill(0, size - count * width);
    }
    emit(top, count, values);
    top = end;
  };
  const finishBefore = (row: number): void => {
    while (current < row) finish(current++);
  };
  return {
    finishBefore,
    add({ row, column, image }, tile) {
      finishBefore(row);
      const [down, across] = [plan.rows[row]!, plan.columns[column]!];
      const shares = Float32Array.from({ length: across.to - across.from }, (_, i) =>
        shareOf(across, across.from + i),
      );
      for (let c = 0; c < outputs; c++)
        for (let y = down.from; y < down.to; y++) {
          const share = shareOf(down, y);
          const from = (c * plan.height + y - down.start) * plan.width + across.from - across.start;
          const to = (image * outputs + c) * size + (y - top) * width + across.from;
          for (let i = 0; i < shares.length; i++)
            sums[to + i] = sums[to + i]! + share * shares[i]! * tile[from + i]!;
        }
    },
  };
}

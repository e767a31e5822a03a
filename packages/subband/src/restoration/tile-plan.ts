/**
 * @module How an image is cut into overlapping tiles of one size, so that one compiled network serves them all. The
 * outermost tiles end at the border of the image, where a network pads as it does on the whole image; between tiles each
 * keeps what lies at least `radius` inside it, so that the whole equals one run over the image. Where a network looks too
 * far for that, neighbours fade into each other.
 */
import { invariant } from "onnxgrad";

/** One tile along one axis. */
export interface TileSpan {
  /** First pixel that the network sees; it sees as many as the tile is long. */
  readonly start: number;
  /** First pixel kept, and the one after the last. */
  readonly from: number;
  readonly to: number;
  /** Kept pixels at each end over which the tile fades, while its neighbour fades the other way; 0 at the border. */
  readonly fadeIn: number;
  readonly fadeOut: number;
}

/** An image in tiles: every pair of a row and a column span is one. */
export interface TilePlan {
  readonly height: number;
  readonly width: number;
  readonly rows: readonly TileSpan[];
  readonly columns: readonly TileSpan[];
  /** Tiles that go through the network at once. */
  readonly batch: number;
}

/** What a plan is made for. */
export interface TileRequest {
  readonly height: number;
  readonly width: number;
  /** How far inside a tile a kept pixel lies at least: how far the network looks, or as much of it as matters. */
  readonly radius: number;
  /** Even number of pixels over which neighbours fade into each other; default 0, a cut. */
  readonly blend?: number;
  /** Extents and starts of tiles are multiples of it, as those of the image must be; default 1. */
  readonly multiple?: number;
  /** Planes or images of this size that go through the network alike; default 1. */
  readonly images?: number;
  /** Most pixels of a tile; default {@link TILE_PIXELS}. A tile is larger where the radius needs it. */
  readonly tilePixels?: number;
}

/**
 * Most pixels of a tile. Larger tiles compute less of their neighbours again; smaller ones are faster a pixel (a 43 x 43
 * network 1.4 times at 128 x 128 what it is at 256 x 256), and take less memory.
 */
export const TILE_PIXELS: number = 256 * 256;

/** Tiles at once: an even batch runs as two halves on two cores, which do not wait for each other at every layer. */
const BATCH = 2;

/** The plan with the fewest pixels to compute, over all numbers of rows and columns of tiles. */
export function planTiles(request: TileRequest): TilePlan {
  const { height, width, images = 1, multiple = 1, tilePixels = TILE_PIXELS } = request;
  invariant(height % multiple === 0 && width % multiple === 0, `${width} x ${height}, not of ${multiple}`);
  const [rows, columns] = [cuts(height, request), cuts(width, request)];
  let best: { readonly cost: number; readonly plan: TilePlan } | undefined;
  for (const row of rows)
    for (const column of columns) {
      const pixels = row.length * column.length;
      const tiles = row.spans.length * column.spans.length * images;
      const batch = Math.min(BATCH, tiles);
      // Pixels over the bound count as more than any plan within it.
      const cost = Math.ceil(tiles / batch) * batch * pixels + Math.max(0, pixels - tilePixels) * 1e6;
      if (best === undefined || cost < best.cost)
        best = {
          cost,
          plan: { height: row.length, width: column.length, rows: row.spans, columns: column.spans, batch },
        };
    }
  return best!.plan;
}

/** One axis in tiles of one length. */
interface Cut {
  readonly length: number;
  readonly spans: readonly TileSpan[];
}

/** The axis in 1, 2, ... tiles, as long as more of them are shorter. */
function cuts(extent: number, { radius, blend = 0, multiple = 1 }: TileRequest): Cut[] {
  const roundUp = (n: number): number => Math.ceil(n / multiple) * multiple;
  // Starts are multiples too, which can cost a tile as much of its overlap at each end.
  const overlap = 2 * radius + blend + 2 * (multiple - 1);
  const found: Cut[] = [];
  for (let n = 1; n <= extent; n++) {
    const length = n === 1 ? extent : roundUp((extent + (n - 1) * overlap) / n);
    if (n > 1 && (length >= found.at(-1)!.length || length <= overlap)) break;
    const starts = Array.from({ length: n }, (_, k) =>
      n === 1 ? 0 : Math.floor((k * (extent - length)) / (n - 1) / multiple) * multiple,
    );
    const between = (k: number): number => Math.floor((starts[k]! + length + starts[k + 1]!) / 2);
    const spans = starts.map((start, k): TileSpan => {
      const [fadeIn, fadeOut] = [k === 0 ? 0 : blend, k === n - 1 ? 0 : blend];
      const from = k === 0 ? 0 : between(k - 1) - fadeIn / 2;
      const to = k === n - 1 ? extent : between(k) + fadeOut / 2;
      return { start, from, to, fadeIn, fadeOut };
    });
    found.push({ length, spans });
  }
  return found;
}

/** The share that a tile has in pixel `at` of its axis; those of all tiles add up to 1. */
export function shareOf({ from, to, fadeIn, fadeOut }: TileSpan, at: number): number {
  if (at < from || at >= to) return 0;
  if (at < from + fadeIn) return (at - from + 0.5) / fadeIn;
  if (at >= to - fadeOut) return (to - at - 0.5) / fadeOut;
  return 1;
}

/**
 * @module Products of all pairs of rows of two sets, block by block, by one compiled matrix product on any backend: what
 * kernels, distances and projections of thousands of rows are made of.
 */
import { type Backend, compile, matmul, matrixTranspose, mul, sub } from "onnxgrad";
import { copyRows, requireSameFeatures, type Rows } from "./rows.ts";

/** Pairs of some rows of the first set with some of the second. */
export interface PairBlock {
  /** Index of the first row of either set. */
  readonly first: readonly [number, number];
  /** Rows of either set. */
  readonly count: readonly [number, number];
  /** The product of rows i and j of the block at `i * stride + j`; valid until the visit has ended, as are the rows. */
  readonly products: Float32Array;
  readonly stride: number;
  /** Rows of either set as they are, [count, d] and more. */
  readonly rows: readonly [Float32Array, Float32Array];
}

/** What of the rows is multiplied. */
export interface ProductOptions {
  /** Taken from every row before, [d]; default 0. */
  readonly centre?: Float32Array;
  /** Multiplies every row, centred; default 1. */
  readonly scale?: number;
  /** Of a set and itself: only blocks on the diagonal and to its right. */
  readonly upper?: boolean;
}

/** A compiled product. */
export interface Pairwise {
  /**
   * Visits all pairs of rows of `a` and `b`: for each block of `a`, in order, every block of `b`, in order. One at a time.
   * @throws UserError `metric/size` for rows of different features.
   */
  products(a: Rows, b: Rows, visit: (block: PairBlock) => void, options?: ProductOptions): Promise<void>;
}

/** Rows of either set at once; 512 of 2,048 features are 4 MB. */
const BLOCK = [512, 512] as const;

/** Compiles the product of rows of `dimensions` features, in blocks of `block` rows, for as long as `work` takes. */
export async function withPairwise<T>(
  backend: Backend,
  dimensions: number,
  work: (pairwise: Pairwise) => Promise<T>,
  [height, width]: readonly [number, number] = BLOCK,
): Promise<T> {
  const inputs = { a: [height, dimensions], b: [width, dimensions], centre: [dimensions], scale: [] };
  const program = await compile(backend, { inputs }, ({ a, b, centre, scale }) => ({
    products: matmul(mul(sub(a, centre), scale), matrixTranspose(mul(sub(b, centre), scale))),
  }));
  const rows = [new Float32Array(height * dimensions), new Float32Array(width * dimensions)] as const;
  const none = new Float32Array(dimensions);
  try {
    return await work({
      async products(a, b, visit, { centre = none, scale = 1, upper = false } = {}) {
        requireSameFeatures(a, b);
        for (let i = 0; i < a.count; i += height) {
          const above = Math.min(height, a.count - i);
          copyRows(a, i, above, rows[0]);
          for (let j = upper ? i - (i % width) : 0; j < b.count; j += width) {
            const across = Math.min(width, b.count - j);
            copyRows(b, j, across, rows[1]);
            const feeds = { a: rows[0], b: rows[1], centre, scale };
            const { products } = await program.run(feeds, { reuse: true });
            visit({ first: [i, j], count: [above, across], products, stride: width, rows });
          }
        }
      },
    });
  } finally {
    await program.dispose();
  }
}

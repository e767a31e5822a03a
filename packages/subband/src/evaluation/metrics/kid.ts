/** @module The kernel distance of two sets of features ("KID"), with a standard error. */
import { type Backend, UserError } from "onnxgrad";
import type { Metric } from "./metric.ts";
import { type Pairwise, withPairwise } from "./pairwise.ts";
import { requireCount, requireSameFeatures, type Rows, rows } from "./rows.ts";

/** What {@link kid} gives. */
export interface KernelDistance {
  /** Unbiased, so that it may be negative where the sets are alike. */
  readonly kid: number;
  /**
   * By the jackknife over `blocks` pairs of blocks, for other draws of both sets; where the distance is 0 it is too large
   * rather than too small.
   */
  readonly standardError: number;
  readonly blocks: number;
  readonly generated: number;
  readonly real: number;
}

/**
 * The squared maximum mean discrepancy to `reference` under the kernel (x.y / d + 1)^3 (Binkowski et al. 2018, section 4), as one
 * U-statistic over all pairs of rows, of sets of any sizes. For its standard error it is counted again without the first of
 * `blocks` runs of neighbouring rows of either set, the second, ...: a block of rows that belong together, patches of one picture
 * say, leaves as one; in what order the blocks stand must mean nothing.
 * @throws UserError `metric/blocks`; `metric/few` when `result` is asked of fewer than two rows a block.
 */
export function kid(
  backend: Backend,
  reference: Rows,
  { blocks = 50 }: { readonly blocks?: number } = {},
): Metric<Rows, Promise<KernelDistance>> {
  if (!Number.isInteger(blocks) || blocks < 2)
    throw new UserError("metric/blocks", `kid: ${blocks} blocks; give a whole number from 2.`);
  let among: Promise<Float64Array> | undefined;
  return rows(reference.dimensions, async (generated) => {
    requireSameFeatures(generated, reference);
    requireCount(`A kernel distance by ${blocks} blocks`, 2 * blocks, generated, reference);
    return withPairwise(backend, reference.dimensions, async (pairwise) => {
      const real = await (among ??= kernelSums(pairwise, reference, reference, blocks));
      const own = await kernelSums(pairwise, generated, generated, blocks);
      const across = await kernelSums(pairwise, generated, reference, blocks);
      const [n, m] = [generated.count, reference.count];
      const distance = (left?: number): number => {
        const [some, others] = [n - sizeOf(n, blocks, left), m - sizeOf(m, blocks, left)];
        return (
          totalWithout(own, blocks, left) / (some * (some - 1)) +
          totalWithout(real, blocks, left) / (others * (others - 1)) -
          (2 * totalWithout(across, blocks, left)) / (some * others)
        );
      };
      const without = Array.from({ length: blocks }, (_, left) => distance(left));
      const mean = without.reduce((sum, value) => sum + value, 0) / blocks;
      const spread = without.reduce((sum, value) => sum + (value - mean) ** 2, 0);
      return {
        kid: distance(),
        standardError: Math.sqrt(((blocks - 1) / blocks) * spread),
        ...{ blocks, generated: n, real: m },
      };
    });
  });
}

/** The first row of block `block` of `n` rows. */
function firstOf(n: number, blocks: number, block: number): number {
  return Math.ceil((block * n) / blocks);
}

/** Rows of a block; 0 of none. */
function sizeOf(n: number, blocks: number, block: number | undefined): number {
  return block === undefined ? 0 : firstOf(n, blocks, block + 1) - firstOf(n, blocks, block);
}

/** Sums of the kernel over pairs of blocks, [blocks, blocks]; of a set and itself over pairs of two rows. */
async function kernelSums(pairwise: Pairwise, a: Rows, b: Rows, blocks: number): Promise<Float64Array> {
  const sums = new Float64Array(blocks * blocks);
  const same = a === b;
  const blockOf = (row: number, n: number): number => Math.floor((row * blocks) / n);
  await pairwise.products(
    a,
    b,
    ({ first, count, products, stride }) => {
      const mirrored = same && first[0] !== first[1];
      for (let i = 0; i < count[0]; i++) {
        const row = first[0] + i;
        const up = blockOf(row, a.count);
        for (let j = 0; j < count[1];) {
          const along = blockOf(first[1] + j, b.count);
          const end = Math.min(count[1], firstOf(b.count, blocks, along + 1) - first[1]);
          let sum = 0;
          for (; j < end; j++) {
            if (same && first[1] + j === row) continue;
            const base = products[i * stride + j]! + 1;
            sum += base * base * base;
          }
          sums[up * blocks + along]! += sum;
          if (mirrored) sums[along * blocks + up]! += sum;
        }
      }
    },
    { scale: 1 / Math.sqrt(a.dimensions), upper: same },
  );
  return sums;
}

/** The sum of a matrix without the row and the column of a block; of all of it without one. */
function totalWithout(sums: Float64Array, blocks: number, left?: number): number {
  let total = 0;
  for (let i = 0; i < blocks; i++)
    for (let j = 0; j < blocks; j++) if (i !== left && j !== left) total += sums[i * blocks + j]!;
  return total;
}

/** @module Precision, recall, density and coverage: which images lie in balls about the images of the other set. */
import type { Backend } from "onnxgrad";
import { visitDistances } from "./distances.ts";
import type { Metric } from "./metric.ts";
import { nearest } from "./nearest.ts";
import { withPairwise } from "./pairwise.ts";
import { requireCount, requireSameFeatures, type Rows, rows } from "./rows.ts";

/**
 * Fidelity and diversity by neighbours. The ball of an image reaches to its `k`-th nearest neighbour in its own set, itself not
 * counted; an image lies in it where it is nearer than that.
 */
export interface NeighbourFigures {
  /** Share of generated images that lie in the ball of a real one, 0 to 1 (Kynkaanniemi et al. 2019, eq. 1). */
  readonly precision: number;
  /** Share of real images that lie in the ball of a generated one, 0 to 1. */
  readonly recall: number;
  /** Balls of real images that a generated one lies in, on average, over k: 1 for real images (Naeem et al. 2020, eq. 4). */
  readonly density: number;
  /** Share of real images whose ball holds a generated one, 0 to 1; of real ones 1 - 2^-k, nearly (Naeem et al. 2020, eq. 5). */
  readonly coverage: number;
  readonly k: number;
  readonly generated: number;
  readonly real: number;
}

/**
 * Precision, recall, density and coverage of rows against those of real images. `k` is 5 as in dgm-eval; figures of different `k`,
 * or of sets of different sizes, do not compare.
 * @throws UserError `metric/few` when `result` is asked of `k` rows or fewer.
 */
export function neighbours(
  backend: Backend,
  reference: Rows,
  { k = 5 }: { readonly k?: number } = {},
): Metric<Rows, Promise<NeighbourFigures>> {
  let realRadii: Promise<Float64Array> | undefined;
  return rows(reference.dimensions, async (generated) => {
    requireSameFeatures(generated, reference);
    requireCount(`Balls to ${k} neighbours`, k + 1, generated, reference);
    return withPairwise(backend, reference.dimensions, async (pairwise) => {
      const radii = async (set: Rows): Promise<Float64Array> => {
        const { squares } = await nearest(backend, pairwise, set, null, k);
        return Float64Array.from({ length: set.count }, (_, i) => squares[(i + 1) * k - 1]!);
      };
      const real = await (realRadii ??= radii(reference));
      const own = await radii(generated);
      let inside = 0;
      const precise = new Uint8Array(generated.count);
      const [recalled, covered] = [new Uint8Array(reference.count), new Uint8Array(reference.count)];
      await visitDistances(backend, pairwise, reference, generated, (block) => {
        for (let i = 0; i < block.count[0]; i++)
          for (let j = 0; j < block.count[1]; j++) {
            const [at, from] = [block.first[0] + i, block.first[1] + j];
            const [r, s] = [real[at]!, own[from]!];
            const least = block.least(i, j);
            if (least >= r && least >= s) continue;
            const most = block.most(i, j);
            const square = (most < r || least >= r) && (most < s || least >= s) ? most : block.square(i, j);
            if (square < r) {
              inside++;
              precise[from] = 1;
              covered[at] = 1;
            }
            if (square < s) recalled[at] = 1;
          }
      });
      return {
        precision: share(precise),
        recall: share(recalled),
        density: inside / (k * generated.count),
        coverage: share(covered),
        k,
        generated: generated.count,
        real: reference.count,
      };
    });
  });
}

/** Share of the flags that are 1. */
function share(flags: Uint8Array): number {
  return flags.reduce((sum, flag) => sum + flag, 0) / flags.length;
}

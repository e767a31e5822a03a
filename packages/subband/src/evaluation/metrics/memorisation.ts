/** @module How near generated images are to images of the training, beside how near other real ones are. */
import { type Backend, UserError } from "onnxgrad";
import type { Metric } from "./metric.ts";
import { nearest, type Nearest } from "./nearest.ts";
import { withPairwise } from "./pairwise.ts";
import { requireSameFeatures, type Rows, rows } from "./rows.ts";

/** What {@link memorisation} gives. Distances are those of the features, Euclidean. */
export interface Memorisation {
  /**
   * Median distance of generated images to the nearest training image, over that of real ones: 1 where they are as far as
   * real ones, 0 where they are copies. Undefined where half of the real ones are copies themselves.
   */
  readonly ratio: number | undefined;
  readonly generatedMedian: number;
  readonly realMedian: number;
  /** Share of generated images that are nearer than {@link Memorisation.near}: 0.01 for real ones. */
  readonly nearShare: number;
  /** What 1 % of the real images are nearer than. */
  readonly near: number;
  /** Whether the real images are held out, or those of the training, each beside all others. */
  readonly against: "held-out" | "training";
  /** The nearest training image of every generated one, [n], and its distance. */
  readonly indices: Uint32Array;
  readonly distances: Float64Array;
}

/** Real images nearer than this share of all are near. */
const NEAR = 0.01;

/**
 * Whether rows lie nearer to those of `training` than `heldOut` do, real images that were not trained on; without them than
 * the training images do to each other. **It detects copies, and no more.** No known figure detects learning by heart well (Stein
 * et al. 2023, section 5): an image that is mirrored, moved by a pixel or put together of two may be far from all in its features;
 * blurred images, which lie near the mean of many, are near without being learned; a median says nothing of a few copies, and
 * the share of near ones nothing where 1 % of the data are copies. Look at the pairs.
 * @throws UserError `metric/few` when there are too few rows; `result` of none, too.
 */
export function memorisation(
  backend: Backend,
  training: Rows,
  heldOut?: Rows,
): Metric<Rows, Promise<Memorisation>> {
  let real: Promise<Float64Array> | undefined;
  return rows(training.dimensions, async (generated) => {
    requireSameFeatures(generated, training);
    if (generated.count === 0 || heldOut?.count === 0)
      throw new UserError("metric/few", "Nearest images of no images: give one at least.");
    return withPairwise(backend, training.dimensions, async (pairwise) => {
      const found = (queries: Rows | null): Promise<Nearest> =>
        nearest(backend, pairwise, training, queries, 1);
      const others = await (real ??= found(heldOut ?? null).then(({ squares }) =>
        squares.map(Math.sqrt).sort(),
      ));
      const { squares, indices } = await found(generated);
      const distances = squares.map(Math.sqrt);
      const generatedMedian = quantile(distances.toSorted(), 0.5);
      const [realMedian, near] = [quantile(others, 0.5), quantile(others, NEAR)];
      return {
        ratio: realMedian === 0 ? undefined : generatedMedian / realMedian,
        generatedMedian,
        realMedian,
        nearShare: distances.filter((distance) => distance < near).length / distances.length,
        near,
        against: heldOut === undefined ? "training" : "held-out",
        indices,
        distances,
      };
    });
  });
}

/** The quantile `q`, 0 to 1, of ascending numbers, linear between them. */
function quantile(ascending: Float64Array, q: number): number {
  const at = q * (ascending.length - 1);
  const below = Math.floor(at);
  const part = at - below;
  return ascending[below]! * (1 - part) + ascending[Math.min(below + 1, ascending.length - 1)]! * part;
}

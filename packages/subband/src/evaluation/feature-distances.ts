/** @module Distances between two sets of images in a space of features: all figures that need rows, as plain data. */
import type { Backend } from "onnxgrad";
import { distanceName, type FeatureExtractor } from "./features/feature-extractor.ts";
import type { Interval } from "./metrics/bootstrap.ts";
import { extrapolatedFrechet } from "./metrics/extrapolated-frechet.ts";
import { frechetTo } from "./metrics/frechet.ts";
import { frechetInterval } from "./metrics/frechet-interval.ts";
import { kid } from "./metrics/kid.ts";
import { memorisation } from "./metrics/memorisation.ts";
import { type Moments, momentsOf } from "./metrics/moments.ts";
import { neighbours } from "./metrics/neighbours.ts";
import { copyRows, type Rows } from "./metrics/rows.ts";
import { slicedWasserstein } from "./metrics/sliced-wasserstein.ts";

/** Images that a distance needs, and those from which on it is told without a warning. */
export const FEWEST_FOR_DISTANCES = 500;
export const ENOUGH_FOR_DISTANCES = 5000;
/** Resamples of the interval. */
const RESAMPLES = 100;
/** Features beyond which the interval and the extrapolation would take minutes to hours. */
const MOST_FEATURES = 512;

/** Distances to what is compared with; see the metrics for what each means. */
export interface FeatureDistances {
  /** What the Frechet distance is called, e.g. `fd-cifar`. */
  readonly name: string;
  readonly frechet: number;
  /** By the bootstrap over generated images: what so few of them add, and the 95 % interval without that. Null beyond 512 features. */
  readonly interval: {
    readonly bias: number;
    readonly standardError: number;
    readonly low: number;
    readonly high: number;
    readonly resamples: number;
  } | null;
  /** For infinitely many generated images. Null beyond 512 features. */
  readonly extrapolated: number | null;
  readonly kid: number;
  readonly kidStandardError: number;
  readonly slicedWasserstein: number;
  readonly precision: number;
  readonly recall: number;
  readonly density: number;
  readonly coverage: number;
  /** Neighbour whose distance is the radius of a ball, in the four before. */
  readonly k: number;
  /**
   * Median distance to the nearest image compared with, over that of those images to each other: 0 of copies, 1 of others of
   * the same kind. Null where those are copies themselves.
   */
  readonly nearestRatio: number | null;
}

/** What is compared with, in a space of features. The work on its rows is done once, however many sets are compared. */
export interface FeatureReference {
  /** The Frechet distance of moments to it. */
  readonly frechet: (moments: Moments) => number;
  /** All distances of `generated` to it; null of fewer than 500 images. @throws UserError `metric/...`. */
  distances(generated: Rows): Promise<FeatureDistances | null>;
}

/** Rows of features as a {@link FeatureReference}; undefined of fewer than 500 images. */
export function featureReference(
  extractor: Pick<FeatureExtractor, "name">,
  reference: Rows,
  { backend, seed }: { readonly backend: Backend; readonly seed: number },
): FeatureReference | undefined {
  if (reference.count < FEWEST_FOR_DISTANCES) return undefined;
  const goal = momentsOf(copyRows(reference, 0, reference.count), reference.count);
  const frechet = frechetTo(goal);
  const kernel = kid(backend, reference);
  const sliced = slicedWasserstein(backend, reference, { seed });
  const balls = neighbours(backend, reference);
  const copies = memorisation(backend, reference);
  const isSmall = reference.dimensions <= MOST_FEATURES;
  return {
    frechet,
    async distances(generated) {
      const n = generated.count;
      if (n < FEWEST_FOR_DISTANCES) return null;
      const all = copyRows(generated, 0, n);
      const interval = isSmall
        ? await frechetInterval(goal, all, n, { backend, seed, resamples: RESAMPLES })
        : null;
      const { kid: value, standardError } = await kernel.result(generated);
      const { distance } = await sliced.result(generated);
      const { precision, recall, density, coverage, k } = await balls.result(generated);
      const { ratio } = await copies.result(generated);
      return {
        name: distanceName(extractor),
        frechet: interval?.value ?? frechet(momentsOf(all, n)),
        interval: interval && withoutValue(interval),
        extrapolated: isSmall ? extrapolatedFrechet(goal, all, n, seed).value : null,
        kid: value,
        kidStandardError: standardError,
        slicedWasserstein: distance,
        ...{ precision, recall, density, coverage, k },
        nearestRatio: ratio ?? null,
      };
    },
  };
}

function withoutValue({ bias, standardError, low, high, resamples }: Interval): FeatureDistances["interval"] {
  return { bias, standardError, low, high, resamples };
}

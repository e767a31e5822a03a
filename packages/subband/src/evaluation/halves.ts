/** @module Which half of a run with bands is at fault: calibration of its details, and distances of its two oracles. */
import { inSlices } from "onnxgrad";
import type { CompiledDraw } from "../drawing/compile-draw.ts";
import { FEWEST_FOR_DISTANCES, type FeatureReference } from "./feature-distances.ts";
import type { EvaluationHost } from "./evaluation-host.ts";
import type { ImageSet } from "./image-set.ts";
import { type Moments, moments, momentsOf } from "./metrics/moments.ts";
import { nearest } from "./metrics/nearest.ts";
import { withPairwise } from "./metrics/pairwise.ts";
import { copyRows, rowsOf } from "./metrics/rows.ts";
import { type BandCalibration, calibration } from "./pictures/calibration.ts";
import { averagingBlocks } from "./pictures/low-bands.ts";
import { drawDetails, drawLow, graft } from "./pictures/oracles.ts";
import type { DrawnSubject } from "./subject.ts";

/** Low bands whose details are drawn twice. */
const CALIBRATED = 256;
/** Pictures of an oracle, at most, and at a time. */
const MOST_ORACLES = 2000;
const SOME = 500;

/** Frechet distances with one half exchanged for the real one. */
export interface OracleDistances {
  /** Of real low bands with the run's details: the fault of the details. */
  readonly realLow: number;
  /** Of the run's low bands with details of the picture whose low band is nearest: the fault of the low bands, at most. */
  readonly realDetails: number;
  /** Of the run itself, at as many images. */
  readonly neither: number;
  /** Images of each. */
  readonly images: number;
}

/** See `calibration()` and {@link OracleDistances}; null of runs without levels, and of what cannot be measured. */
export interface Halves {
  readonly calibration: readonly BandCalibration[] | null;
  readonly oracles: OracleDistances | null;
}

/** Real images, measured. */
interface HalvesReference {
  readonly set: ImageSet;
  readonly features: FeatureReference | undefined;
}

/** Measures both on the pictures of a reference of real images; `set` is what the run drew. */
export async function halvesOf(
  drawing: CompiledDraw,
  { system: { image, pyramid }, seed }: DrawnSubject,
  set: ImageSet,
  { set: reference, features: goal }: HalvesReference,
  host: EvaluationHost,
): Promise<Halves> {
  if (pyramid.levels === 0) return { calibration: null, oracles: null };
  const size = image.channels * image.height * image.width;
  const few = Math.min(CALIBRATED, reference.pictureCount);
  const request = { image, pyramid, seed };
  const calibrated = await calibration(drawing, reference.pictures.subarray(0, few * size), request);
  const n = Math.min(MOST_ORACLES, set.count, reference.pictureCount);
  const { features } = host;
  if (features === undefined || goal === undefined || set.rows === undefined || n < FEWEST_FOR_DISTANCES)
    return { calibration: calibrated, oracles: null };
  const { open } = features;
  const real = reference.pictures.subarray(0, n * size);
  const { start, add } = moments(set.rows.dimensions);
  const momentsMade = async (
    make: (first: number, count: number) => Promise<Float32Array>,
  ): Promise<Moments> => {
    let state = start();
    for (let first = 0; first < n; first += SOME) {
      const count = Math.min(SOME, n - first);
      state = add(state, await open.extract(await make(first, count), image, count), count);
      host.onProgress?.("oracles of", first + count, n);
    }
    return state;
  };
  const realLow = await momentsMade((first, count) =>
    drawDetails(drawing, real.subarray(first * size, (first + count) * size), { ...request, first }),
  );
  const { levels } = pyramid;
  const lows = rowsOf(await inSlices(averagingBlocks(real, image, levels)), n);
  const realDetails = await withPairwise(host.backend, lows.dimensions, (pairwise) =>
    momentsMade(async (first, count) => {
      const low = await drawLow(drawing, count, { ...request, first });
      const { indices } = await nearest(host.backend, pairwise, lows, rowsOf(low, count), 1);
      return graft(low, real, indices, image, levels);
    }),
  );
  return {
    calibration: calibrated,
    oracles: {
      realLow: goal.frechet(realLow),
      realDetails: goal.frechet(realDetails),
      neither: goal.frechet(momentsOf(copyRows(set.rows, 0, n), n)),
      images: n,
    },
  };
}

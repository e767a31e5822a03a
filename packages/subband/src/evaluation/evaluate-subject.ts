/**
 * @module All figures of one subject beside what it is compared with, as plain data: bands, radial spectrum and, of what a run
 * draws, spread over the noise input and cost. It reads and writes no files.
 */
import { inSlices, slices } from "onnxgrad";
import { radialSpectrumError } from "../spectrum/radial.ts";
import { type BandComparison, bandReport } from "./band-report.ts";
import type { EvaluationHost } from "./evaluation-host.ts";
import { type FeatureDistances, type FeatureReference, featureReference } from "./feature-distances.ts";
import { type Blockiness, blockiness } from "./pictures/blockiness.ts";
import { type Specks, specks } from "./pictures/specks.ts";
import { detailSpread, SPREAD_IMAGES } from "./detail-spread.ts";
import { type DrawingCost, drawingCost } from "./drawing-cost.ts";
import { type Halves, halvesOf } from "./halves.ts";
import { bandsOf, type ImageSet, measureImages, pictureSpectra } from "./image-set.ts";
import { spectrumFloor } from "./spectrum-floor.ts";
import { openSubject, type Subject } from "./subject.ts";

/** What subjects are compared with, measured once for all of them. */
export interface Reference {
  readonly set: ImageSet;
  /** Whether its images are of the data, not drawn: only those have true low bands. */
  readonly isReal: boolean;
  /** Radial spectra of single pictures. */
  readonly spectra: readonly Float64Array[];
  /** Undefined without features, and of fewer than 500 images. */
  readonly features: FeatureReference | undefined;
}

/** Figures of one subject. */
export interface Figures {
  /** Images that it was measured on, and those that it was compared with. */
  readonly generated: number;
  readonly count: number;
  /** Of them, those that bands were measured on. */
  readonly pictures: number;
  /** Mean |log10 P_generated - log10 P_real| over radial frequencies 1..N/2 of grey images. */
  readonly radialSpectrumError: number;
  /** The same error between disjoint sets of the images compared with, see `spectrumFloor()`: what is left to gain ends here. */
  readonly radialSpectrumFloor: number | null;
  readonly bands: readonly BandComparison[];
  /** Null where sides are under 16 pixels. */
  readonly specks: Specks | null;
  /** For the grids of the levels, the finest first. */
  readonly blockiness: readonly Blockiness[] | null;
  /** Null without features, and where there are fewer than 500 images on either side. */
  readonly distances: FeatureDistances | null;
  /** See `detailSpread()`; null for systems that have not measured it, and for pictures. */
  readonly spread: readonly number[] | null;
  /** Null for pictures, and beside images that are drawn. */
  readonly halves: Halves | null;
  /** Null for pictures. */
  readonly cost: DrawingCost | null;
}

/** Figures, and the first of the images. */
export interface Evaluation {
  readonly figures: Figures;
  readonly set: ImageSet;
}

/** Single spectra that the floor of the radial error is estimated by. */
const FLOOR_PICTURES = 4000;

/** Measures what subjects are compared with. */
export async function measureReference(subject: Subject, host: EvaluationHost): Promise<Reference> {
  const { backend, features, onProgress } = host;
  const opened = await openSubject(subject, backend);
  try {
    const set = await measureImages(opened.stream, features?.open, (done) =>
      onProgress?.("compared with", done, opened.stream.count),
    );
    return {
      ...{
        set,
        isReal: subject.kind === "images",
        spectra: await inSlices(pictureSpectra(set, FLOOR_PICTURES)),
      },
      features: features && set.rows && featureReference(features.extractor, set.rows, host),
    };
  } finally {
    await opened.dispose();
  }
}

/**
 * Measures a subject, whose images have the extents of the reference's; bands are those of `levels`.
 * @throws UserError `evaluation/bands`, `state/mismatch`.
 */
export async function evaluateSubject(
  subject: Subject,
  reference: Reference,
  levels: number,
  host: EvaluationHost,
): Promise<Evaluation> {
  const { backend, features, onProgress } = host;
  const opened = await openSubject(subject, backend);
  try {
    const part = opened.kind === "drawn" ? "sample" : "read";
    const set = await measureImages(opened.stream, features?.open, (done) =>
      onProgress?.(part, done, opened.stream.count),
    );
    const compared = await compareSets(set, reference, levels, host.seed);
    if (subject.kind !== "drawn" || opened.kind !== "drawn")
      return { set, figures: { ...compared, spread: null, halves: null, cost: null } };
    const { image, pyramid } = subject.system;
    const { pictures } = reference.set;
    const few = pictures.subarray(0, SPREAD_IMAGES * image.channels * image.height * image.width);
    const spread = reference.isReal
      ? await detailSpread(opened.drawing, pyramid, few, image, subject.seed)
      : undefined;
    const halves = reference.isReal ? await halvesOf(opened.drawing, subject, set, reference, host) : null;
    const cost = await drawingCost(subject, opened.stream, backend);
    return { set, figures: { ...compared, spread: spread ?? null, halves, cost } };
  } finally {
    await opened.dispose();
  }
}

/** The figures that any set of images has. */
async function compareSets(
  set: ImageSet,
  reference: Reference,
  levels: number,
  seed: number,
): Promise<Omit<Figures, "spread" | "halves" | "cost">> {
  const { image, sums, rows } = set;
  const { sums: realSums } = reference.set;
  // Blocks of half a side and more have no borders to compare.
  const grids = Math.min(levels, Math.floor(Math.log2(Math.min(image.height, image.width))) - 1);
  const sizes = { generated: set.count, real: reference.set.count };
  const pause = slices();
  const bands = await inSlices(bandsOf(set, levels), pause);
  const realBands = await inSlices(bandsOf(reference.set, levels), pause);
  return {
    generated: set.count,
    count: reference.set.count,
    pictures: set.pictureCount,
    radialSpectrumError: radialSpectrumError(set.spectrum, reference.set.spectrum),
    radialSpectrumFloor: spectrumFloor(reference.spectra, sizes, seed) ?? null,
    bands: bandReport(bands, realBands),
    specks: sums && realSums ? specks(image, realSums.specks).result(sums.specks) : null,
    blockiness: sums && realSums ? blockiness(image, grids, realSums.changes).result(sums.changes) : null,
    distances: (rows && (await reference.features?.distances(rows))) ?? null,
  };
}

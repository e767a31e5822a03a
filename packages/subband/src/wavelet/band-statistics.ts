/**
 * @module Moments of every band, channel by channel, gathered over a data set of any size in one pass, and the
 * standardisation of bands with them. Each plane is summed about its own mean and merged into the running moments
 * (Pebay 2008, SAND2008-6212), so that no precision is lost to large means or long streams.
 */
import { UserError } from "onnxgrad";
import { BAND_KINDS } from "./bands.ts";
import { allocate, type Planes, type Samples, splitShape } from "./planes.ts";
import type { Pyramid2 } from "./wavedec.ts";

/** Moments of one band over all images and places; plain numbers, one a channel, ready for JSON. */
export interface BandMoments {
  /** Kind and level, e.g. `cH1`; see `bandLayout()`. */
  readonly name: string;
  /** Coefficients seen, a channel. */
  readonly count: number;
  readonly mean: readonly number[];
  /** Standard deviation, sqrt(M2 / count). */
  readonly std: readonly number[];
  /** Fourth central moment over the squared variance: 3 for a Gaussian; NaN for a constant band. */
  readonly kurtosis: readonly number[];
}

/** A running summary of pyramids; see {@link bandMoments}. */
export interface BandMomentsStream {
  /**
   * Takes in the pyramid of one or more images [..., c, h, w] (or of one plane [h, w]).
   * @throws UserError `wavelet/bands` when the numbers of bands or channels differ from those before.
   */
  add(coeffs: Pyramid2): void;
  /** The moments so far, in the order of the pyramid's bands; empty before the first {@link add}. */
  result(): readonly BandMoments[];
}

/** Count, mean and sums of powers 2 to 4 of the deviations from the mean. */
interface Sums {
  n: number;
  mean: number;
  m2: number;
  m3: number;
  m4: number;
}

/**
 * Starts a summary of the bands of a data set.
 *
 * @example
 * const stream = bandMoments();
 * for (const batch of batches) stream.add(wavedec2(planes(batch, [n, 3, 32, 32]), "haar", "periodization", 2));
 * const moments = stream.result(); // cA2, cH2, cV2, cD2, cH1, cV1, cD1
 */
export function bandMoments(): BandMomentsStream {
  let bands: Sums[][] | undefined;
  return {
    add(coeffs) {
      const list = coeffs.flat();
      const channelsOf = (band: Planes): number => band.shape.at(-3) ?? 1;
      bands ??= list.map((band) => Array.from({ length: channelsOf(band) }, emptySums));
      checkBands(
        list,
        bands.map((sums) => sums.length),
      );
      for (const [b, band] of list.entries()) {
        const { batch, last } = splitShape(band, 2, "bandMoments");
        const size = last[0]! * last[1]!;
        const sums = bands[b]!;
        for (let plane = 0; plane < batch; plane++)
          merge(sums[plane % sums.length]!, sumsOf(band.data, plane * size, size));
      }
    },
    result() {
      const levels = ((bands?.length ?? 1) - 1) / 3;
      return (bands ?? []).map((channels, b) => ({
        name: bandName(b, levels),
        count: channels[0]!.n,
        mean: channels.map(({ mean }) => mean),
        std: channels.map(({ n, m2 }) => Math.sqrt(m2 / n)),
        kurtosis: channels.map(({ n, m2, m4 }) => (n * m4) / (m2 * m2)),
      }));
    },
  };
}

/**
 * (x - mean) / std of every band and channel: mean 0 and deviation 1 over the measured data. A band whose measured
 * deviation is 0 is only centred.
 * @throws UserError `wavelet/bands` when the moments are not those of such a pyramid.
 */
export function standardise<T extends Samples>(
  coeffs: Pyramid2<T>,
  moments: readonly BandMoments[],
): Pyramid2<T> {
  return mapChannels(coeffs, moments, (x, mean, std) => (x - mean) / std);
}

/**
 * Inverts {@link standardise}: x std + mean.
 * @throws UserError `wavelet/bands` when the moments are not those of such a pyramid.
 */
export function unstandardise<T extends Samples>(
  coeffs: Pyramid2<T>,
  moments: readonly BandMoments[],
): Pyramid2<T> {
  return mapChannels(coeffs, moments, (x, mean, std) => x * std + mean);
}

function mapChannels<T extends Samples>(
  [cA, ...details]: Pyramid2<T>,
  moments: readonly BandMoments[],
  map: (x: number, mean: number, std: number) => number,
): Pyramid2<T> {
  checkBands(
    [cA, ...details.flat()],
    moments.map(({ mean }) => mean.length),
  );
  const mapBand = (band: Planes<T>, { mean, std }: BandMoments): Planes<T> => {
    const { batch, last } = splitShape(band, 2, "standardise");
    const size = last[0]! * last[1]!;
    const data = allocate(band.data, band.data.length);
    for (let plane = 0; plane < batch; plane++) {
      const channel = plane % mean.length;
      const centre = mean[channel]!;
      const scale = std[channel]! === 0 ? 1 : std[channel]!;
      for (let i = plane * size; i < (plane + 1) * size; i++) data[i] = map(band.data[i]!, centre, scale);
    }
    return { data, shape: band.shape };
  };
  return [
    mapBand(cA, moments[0]!),
    ...details.map(
      ([cH, cV, cD], i) =>
        [
          mapBand(cH, moments[3 * i + 1]!),
          mapBand(cV, moments[3 * i + 2]!),
          mapBand(cD, moments[3 * i + 3]!),
        ] as const,
    ),
  ];
}

/** Name of band `b` of a pyramid listed from its coarsest level. */
function bandName(b: number, levels: number): string {
  if (b === 0) return `cA${levels}`;
  return `${BAND_KINDS[1 + ((b - 1) % 3)]}${levels - Math.floor((b - 1) / 3)}`;
}

/** Checks that `bands` are as many as `channels` and have that many channels each. */
function checkBands(bands: readonly Planes[], channels: readonly number[]): void {
  const got = bands.map((band) => band.shape.at(-3) ?? 1);
  if (got.join() !== channels.join())
    throw new UserError(
      "wavelet/bands",
      `channels of the bands are [${got.join(", ")}], those of the statistics [${channels.join(", ")}]; ` +
        "measure them on pyramids of the same levels and channels.",
    );
}

function emptySums(): Sums {
  return { n: 0, mean: 0, m2: 0, m3: 0, m4: 0 };
}

/** The sums of `n` values from `start`, in two passes. */
function sumsOf(values: Samples, start: number, n: number): Sums {
  let total = 0;
  for (let i = start; i < start + n; i++) total += values[i]!;
  const mean = total / n;
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (let i = start; i < start + n; i++) {
    const deviation = values[i]! - mean;
    const square = deviation * deviation;
    m2 += square;
    m3 += square * deviation;
    m4 += square * square;
  }
  return { n, mean, m2, m3, m4 };
}

/** Adds the values summed in `b` to those summed in `a`: Pebay's equations 3.1 for p = 2, 3, 4. */
function merge(a: Sums, b: Sums): void {
  const n = a.n + b.n;
  const d = (b.mean - a.mean) / n;
  const cross = a.n * b.n * d * d; // a.n b.n (mean_b - mean_a)^2 / n^2
  a.m4 +=
    b.m4 +
    cross * n * d * d * (a.n * a.n - a.n * b.n + b.n * b.n) +
    6 * d * d * (a.n * a.n * b.m2 + b.n * b.n * a.m2) +
    4 * d * (a.n * b.m3 - b.n * a.m3);
  a.m3 += b.m3 + cross * n * d * (a.n - b.n) + 3 * d * (a.n * b.m2 - b.n * a.m2);
  a.m2 += b.m2 + cross * n;
  a.mean += d * b.n;
  a.n = n;
}

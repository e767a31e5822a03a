/**
 * @module How well generated images match real ones band by band: standard deviation, kurtosis and sparsity of each Haar band, and
 * how much the details vary with the noise input when the low band is held. Numbers only; it reads no files.
 */
import { atOnce, UserError } from "onnxgrad";
import { type Details, dwt2 } from "../wavelet/dwt.ts";
import { allocate, type Planes } from "../wavelet/planes.ts";

/** Values that are gone over in a piece: some milliseconds' worth. */
const PIECE = 1 << 19;

/** A band of one Haar level: cA, cH, cV and cD of the transform. */
export type BandName = "LL" | "LH" | "HL" | "HH";

/** Moments of one band over all images, channels and places. */
export interface BandStatistics {
  /** 1 is the finest. */
  readonly level: number;
  readonly band: BandName;
  /**
   * Standard deviation on the pyramid that keeps every low band in the range of the image: orthonormal coefficients
   * divided by 2^(level - 1) for details, by 2^level for LL.
   */
  readonly std: number;
  /** Fourth central moment over the squared variance; 3 for a Gaussian, NaN for a constant band. */
  readonly kurtosis: number;
  /**
   * Hoyer's sparsity (Hoyer 2004) of the coefficients about their mean: (sqrt(n) - |x|_1 / |x|_2) / (sqrt(n) - 1), 0 where all
   * are equally large, 1 where a single one is not 0, NaN for a constant band.
   */
  readonly hoyer: number;
}

/**
 * The statistics of LH, HL and HH of each of `levels` orthonormal Haar levels from the finest, and of the coarsest LL
 * last, for images [..., height, width] (see `planes()`).
 * @throws UserError `evaluation/bands` when the sides are not multiples of 2^levels.
 */
export function bandStatistics(images: Planes, levels: number): readonly BandStatistics[] {
  return atOnce(measuringBands(images, levels));
}

/** {@link bandStatistics} in pieces. */
export function* measuringBands(images: Planes, levels: number): Generator<void, readonly BandStatistics[]> {
  const unit = 2 ** levels;
  const sides = images.shape.slice(-2);
  if (sides.length < 2 || sides.some((side) => side % unit !== 0)) {
    throw new UserError(
      "evaluation/bands",
      `band statistics: shape [${images.shape.join(", ")}] on ${levels} levels; ` +
        `expected [..., height, width] in multiples of ${unit}. Take fewer levels.`,
    );
  }
  const report: BandStatistics[] = [];
  let low = images;
  for (let level = 1; level <= levels; level++) {
    const [cA, details] = yield* analysing(low);
    for (const [i, band] of (["LH", "HL", "HH"] as const).entries()) {
      report.push({ level, band, ...(yield* moments(details[i]!.data, 2 ** (level - 1))) });
    }
    low = cA;
  }
  return [...report, { level: levels, band: "LL", ...(yield* moments(low.data, unit)) }];
}

/** One analysis by Haar, some planes at a time. */
function* analysing({ data, shape }: Planes): Generator<void, [cA: Planes, details: Details]> {
  const [height, width] = shape.slice(-2) as [number, number];
  const plane = height * width;
  const some = plane * Math.max(1, Math.floor(PIECE / plane));
  const bands = Array.from({ length: 4 }, () => allocate(data, data.length / 4));
  for (let at = 0; at < data.length; at += some) {
    const piece = data.subarray(at, at + some);
    const [cA, details] = dwt2(
      { data: piece, shape: [piece.length / plane, height, width] },
      "haar",
      "periodization",
    );
    for (const [i, band] of [cA, ...details].entries()) bands[i]!.set(band.data, at / 4);
    yield;
  }
  const [cA, cH, cV, cD] = bands.map((band) => ({
    data: band,
    shape: [...shape.slice(0, -2), height / 2, width / 2],
  }));
  return [cA!, [cH!, cV!, cD!]];
}

/** Standard deviation, divided by `scale`, kurtosis and sparsity of all values. */
function* moments(
  values: Float32Array | Float64Array,
  scale: number,
): Generator<void, Pick<BandStatistics, "std" | "kurtosis" | "hoyer">> {
  let mean = 0;
  for (let at = 0; at < values.length; at += PIECE) {
    for (let i = at; i < Math.min(at + PIECE, values.length); i++) mean += values[i]! / values.length;
    yield;
  }
  let second = 0;
  let fourth = 0;
  let absolute = 0;
  for (let at = 0; at < values.length; at += PIECE) {
    for (let i = at; i < Math.min(at + PIECE, values.length); i++) {
      const square = (values[i]! - mean) ** 2;
      second += square;
      fourth += square * square;
      absolute += Math.abs(values[i]! - mean);
    }
    yield;
  }
  const root = Math.sqrt(values.length);
  const variance = second / values.length;
  return {
    std: Math.sqrt(variance) / scale,
    kurtosis: fourth / values.length / (variance * variance),
    hoyer: (root - absolute / Math.sqrt(second)) / (root - 1),
  };
}

/** One band of generated images beside the same band of real ones. */
export interface BandComparison {
  readonly level: number;
  readonly band: BandName;
  readonly generated: BandStatistics;
  readonly real: BandStatistics;
  /** Standard deviation, generated over real: below 1 is too smooth, above 1 too rough. */
  readonly stdRatio: number;
  /** Kurtosis, generated over real: below 1 has too few strong coefficients among weak ones. */
  readonly kurtosisRatio: number;
  /** Hoyer's sparsity, generated over real. */
  readonly hoyerRatio: number;
}

/**
 * Generated beside real, band by band, of two lists from {@link bandStatistics}.
 * @throws UserError `evaluation/bands` when the lists do not hold the same bands.
 */
export function bandReport(
  generated: readonly BandStatistics[],
  real: readonly BandStatistics[],
): readonly BandComparison[] {
  const names = (list: readonly BandStatistics[]): string =>
    list.map(({ level, band }) => `${band}${level}`).join(" ");
  if (names(generated) !== names(real)) {
    throw new UserError(
      "evaluation/bands",
      `band report: generated has ${names(generated)}, real has ${names(real)}; expected the same bands. Use equal levels.`,
    );
  }
  return generated.map((mine, i) => {
    const theirs = real[i]!;
    return {
      level: mine.level,
      band: mine.band,
      generated: mine,
      real: theirs,
      stdRatio: mine.std / theirs.std,
      kurtosisRatio: mine.kurtosis / theirs.kurtosis,
      hoyerRatio: mine.hoyer / theirs.hoyer,
    };
  });
}

/**
 * Spread of the details over the noise input at a fixed low band: for each coefficient the standard deviation over the
 * draws, averaged over all coefficients. Each draw holds the standardised details of the same low bands, flat, made with
 * another noise input. 0 says the noise is ignored; the spread of real details given their low band is the goal. The
 * estimate is unbiased for Gaussian spread at any number of draws, so reports with different numbers compare.
 * @throws UserError `evaluation/draws` unless there are two or more draws of one positive length.
 */
export function conditionalSpread(draws: readonly ArrayLike<number>[]): number {
  const length = draws[0]?.length ?? 0;
  if (draws.length < 2 || length === 0 || draws.some((draw) => draw.length !== length)) {
    const lengths = draws.map((draw) => draw.length).join(", ");
    throw new UserError(
      "evaluation/draws",
      `draws: lengths ${lengths === "" ? "none" : lengths}; expected two or more of one positive length. Draw the noise again.`,
    );
  }
  let sum = 0;
  for (let i = 0; i < length; i++) {
    let mean = 0;
    for (const draw of draws) mean += draw[i]! / draws.length;
    let squares = 0;
    for (const draw of draws) squares += (draw[i]! - mean) ** 2;
    sum += Math.sqrt(squares / (draws.length - 1));
  }
  return sum / length / gaussianStdBias(draws.length);
}

/** `c4(n)`: mean of the sample standard deviation of n unit normal numbers, `sqrt(2 / (n - 1)) G(n / 2) / G((n - 1) / 2)`. */
function gaussianStdBias(n: number): number {
  // G(m / 2) / G((m - 1) / 2) =: q(m), with q(2) = 1 / sqrt(pi) and q(m + 1) = (m - 1) / (2 q(m)).
  let ratio = 1 / Math.sqrt(Math.PI);
  for (let m = 2; m < n; m++) ratio = (m - 1) / (2 * ratio);
  return Math.sqrt(2 / (n - 1)) * ratio;
}

/**
 * @module The posterior mean and the uncertainty map of an image: mean and standard deviation of every pixel over
 * samples, gathered one sample at a time (Welford 1962), so that no sample need be kept.
 */
import { UserError } from "onnxgrad";

/** A running summary of samples; see {@link sampleMoments}. */
export interface SampleMoments {
  /** Samples taken in. */
  readonly count: number;
  /**
   * Takes in one or more samples, flat.
   * @throws UserError `diffusion/samples` unless they are whole samples.
   */
  add(samples: ArrayLike<number>): void;
  /**
   * Mean of each value.
   * @throws UserError `diffusion/samples` before the first sample.
   */
  mean(): Float32Array;
  /**
   * Standard deviation of each value, with the divisor count - 1.
   * @throws UserError `diffusion/samples` before the second sample.
   */
  std(): Float32Array;
}

/** Starts a summary of samples of `size` values. */
export function sampleMoments(size: number): SampleMoments {
  const mean = new Float64Array(size);
  /** Sum of squared deviations from the mean. */
  const squares = new Float64Array(size);
  let count = 0;
  const atLeast = (least: number, what: string): void => {
    if (count < least)
      throw new UserError("diffusion/samples", `${what} of ${count} samples; expected at least ${least}.`);
  };
  return {
    get count() {
      return count;
    },
    add(samples) {
      if (samples.length === 0 || samples.length % size !== 0)
        throw new UserError(
          "diffusion/samples",
          `samples: ${samples.length} values; expected a positive multiple of ${size}.`,
        );
      for (let from = 0; from < samples.length; from += size) {
        count++;
        for (let i = 0; i < size; i++) {
          const difference = samples[from + i]! - mean[i]!;
          mean[i] = mean[i]! + difference / count;
          squares[i] = squares[i]! + difference * (samples[from + i]! - mean[i]!);
        }
      }
    },
    mean() {
      atLeast(1, "mean");
      return Float32Array.from(mean);
    },
    std() {
      atLeast(2, "standard deviation");
      return Float32Array.from(squares, (square) => Math.sqrt(square / (count - 1)));
    },
  };
}

/**
 * @module Where the randomness of sampling comes from: the start state and the noise of each stochastic step, as pure
 * functions of (seed, image index, step), so that the i-th image does not depend on the batch it was made in.
 */
import { rng } from "onnxgrad";
import type { State } from "./denoiser.ts";

/** Fills `out`, flat and as long as the state, with the standard normal noise of sampling step `step` (0, 1, ...). */
export type NoiseSource<T extends State = State> = (step: number, out: T) => void;

/** Which images of the stream named `seed` a batch holds: `first`, `first + 1`, ..., `first + count - 1`. */
export interface ImageRange {
  readonly seed: number;
  readonly count: number;
  /** Index of the batch's first image; default 0. */
  readonly first?: number;
  /** Names one of several runs an image is made in, such as a scale, so that their noise differs; default none. */
  readonly run?: string;
}

/**
 * Fills the flat batch `out` with the start of sampling: `sigmaMax` times standard normal, image i from (seed, i).
 * Strictly the start is the noisy data distribution at `sigmaMax`; a zero mean is its usual stand-in.
 */
export function startNoise<T extends State>(images: ImageRange, sigmaMax: number, out: T): T {
  fillImages(images, "sampling-start", out);
  for (let i = 0; i < out.length; i++) out[i] = sigmaMax * out[i]!;
  return out;
}

/** The noise of stochastic samplers for a batch: image i at step k from (seed, i, k). */
export function stepNoise<T extends State>(images: ImageRange): NoiseSource<T> {
  return (step, out) => fillImages(images, `sampling-step-${step}`, out);
}

/** Fills image i of the flat batch with standard normal numbers from the stream (seed, purpose, first + i). */
export function fillImages(images: ImageRange, purpose: string, out: State): void {
  const { seed, count, first = 0, run } = images;
  const stream = run === undefined ? purpose : `${purpose}-${run}`;
  const size = out.length / count;
  for (let i = 0; i < count; i++)
    rng(seed, stream, first + i).fillNormal(out.subarray(i * size, (i + 1) * size));
}

/**
 * @module What upscaling, inpainting and deblurring may be told, with their defaults; and how a signal stops them, which is
 * heard whenever a share of the work is done.
 */
import { UserError } from "onnxgrad";
import type { PosteriorOptions } from "./sample-posterior.ts";
import type { OnShare } from "./tiled-denoiser.ts";

/** Told while work goes on, and stopping it. */
export interface WorkOptions {
  /** Called with the share done, 0..1, and awaited. */
  readonly onShare?: OnShare;
  /** Stops the work: its reason is thrown soon after it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Options of `upscalePicture`, `inpaintPicture` and `deblurPicture`. */
export interface RestorationOptions extends WorkOptions {
  /** Deviation of the picture's noise, white being 1, 0..1; default 0: none but rounding. */
  readonly sigma?: number;
  /** The same seed gives the same picture; default 0. */
  readonly seed?: number;
  /** Pictures drawn, of which the result is the mean, 1 or more; default 1. */
  readonly samples?: number;
}

/**
 * The options with their defaults.
 * @throws UserError `restoration/samples`, `restoration/sigma`, `restoration/seed`.
 */
export function samplingOf(options: RestorationOptions): PosteriorOptions & { readonly sigma: number } {
  const { sigma = 0, seed = 0, samples = 1 } = options;
  if (!Number.isInteger(samples) || samples < 1)
    throw new UserError("restoration/samples", `samples: ${samples}. Give a whole number from 1 on.`);
  if (!(sigma >= 0 && sigma <= 1))
    throw new UserError(
      "restoration/sigma",
      `sigma: ${sigma}. Give a deviation of 0 to 1, where white is 1: 25 / 255, say.`,
    );
  if (!Number.isSafeInteger(seed) || seed < 0)
    throw new UserError("restoration/seed", `seed: ${seed}. Give a whole number from 0 on.`);
  const onShare = heard(options);
  return { sigma, seed, samples, ...(onShare !== undefined && { onShare }) };
}

/** The function to call with a share done: it calls that of the options, and throws once their signal is aborted. */
export function heard({ onShare, signal }: WorkOptions): OnShare {
  if (signal === undefined) return onShare;
  signal.throwIfAborted();
  return async (done) => {
    await onShare?.(done);
    await new Promise(setImmediate); // lets an abort happen
    signal.throwIfAborted();
  };
}

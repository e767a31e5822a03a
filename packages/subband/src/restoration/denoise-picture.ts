/** @module Denoises pictures: every image of a picture's view through a tiled denoiser, row by row back into samples. */
import { UserError } from "onnxgrad";
import { pictureSource, viewOf, writeRows } from "./image-source.ts";
import type { Picture } from "./picture.ts";
import { heard, type WorkOptions } from "./restoration-options.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { keepHidden, visibleColours } from "./visible-colours.ts";

/** Options of {@link denoisePicture}. */
export interface DenoiseOptions extends WorkOptions {
  /** Share of the noise found that is taken away, 0..1; default 1. */
  readonly strength?: number;
}

/**
 * The picture with its noise taken away; depth, alpha and profile are as they were. Colours that nobody sees neither count nor
 * change. The picture is read as its rows are denoised: leave it as it is until then.
 * @throws UserError `restoration/strength`.
 *
 * @example
 * const denoiser = tiledDenoiser(node(), (await openModel("builtin")).model);
 * const clean = await denoisePicture(denoiser, await readPicture("noisy.png", true));
 * await writePicture("clean.png", clean);
 * await denoiser.dispose();
 */
export async function denoisePicture(
  denoiser: TiledDenoiser,
  picture: Picture,
  options: DenoiseOptions = {},
): Promise<Picture> {
  const { strength = 1 } = options;
  if (!(strength >= 0 && strength <= 1))
    throw new UserError("restoration/strength", `strength: ${strength}. Give a share of the noise, 0 to 1.`);
  const onShare = heard(options);
  const view = viewOf(picture, denoiser.model.channels);
  const source = pictureSource(visibleColours(picture), view);
  const samples = picture.samples.slice();
  const size = source.channels * source.width;
  await denoiser.denoise(
    source,
    (y, rows, values) => {
      if (strength < 1) {
        const noisy = new Float32Array(size * rows);
        for (let i = 0; i < source.images; i++) {
          source.read(i, y, 0, rows, source.width, noisy);
          const clean = values.subarray(i * noisy.length, (i + 1) * noisy.length);
          for (let k = 0; k < clean.length; k++) clean[k] = noisy[k]! + strength * (clean[k]! - noisy[k]!);
        }
      }
      writeRows(picture, view, y, rows, values, samples);
    },
    onShare,
  );
  keepHidden(picture, samples);
  return { ...picture, samples };
}

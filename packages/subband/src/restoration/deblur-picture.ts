/**
 * @module Sharpens a picture that a known kernel has blurred, by sampling pictures whose blur is the picture up to its
 * noise. The blur of the measurement wraps around the borders; the picture is therefore continued beyond them so that
 * opposite ones meet.
 */
import { UserError } from "onnxgrad";
import { type BlurKernel, blurMeasurement } from "../diffusion/measurements/blur.ts";
import { continueBlur } from "./continue-blur.ts";
import { type Picture, strideOf } from "./picture.ts";
import { type MeasuredResult, pictureOf, restoreMeasured, seenDeviation } from "./restore-measured.ts";
import { type RestorationOptions, samplingOf } from "./restoration-options.ts";
import type { TiledDenoiser } from "./tiled-denoiser.ts";
import { keepHidden, visibleColours } from "./visible-colours.ts";

/** Least noise that a picture of 8 bits has: rounding. */
const ROUNDING = 1 / 255 / Math.sqrt(12);

/** The sharpened picture. */
export interface Deblurred extends Pick<MeasuredResult, "deviation"> {
  readonly picture: Picture;
}

/**
 * Sharpens a picture blurred by `kernel`. Where `sigma` is too small, noise is sharpened with it: give what
 * `estimateNoise` finds where the level is not known.
 * @throws UserError `restoration/kernel` when the kernel is larger than the picture; `restoration/too-large`; those of
 * `RestorationOptions`.
 *
 * @example
 * const denoiser = tiledDenoiser(node(), (await openModel("builtin")).model);
 * const shaken = await readPicture("shaken.png", true);
 * const kernel = kernelOf(await readPicture("kernel.png", true));
 * const { picture } = await deblurPicture(denoiser, shaken, kernel, { sigma: estimateNoise(shaken) });
 * await writePicture("sharp.png", picture);
 * await denoiser.dispose();
 */
export async function deblurPicture(
  denoiser: TiledDenoiser,
  picture: Picture,
  kernel: BlurKernel,
  options: RestorationOptions = {},
): Promise<Deblurred> {
  const { sigma, ...sampling } = samplingOf(options);
  const { height, width } = picture;
  if (kernel.height > height || kernel.width > width)
    throw new UserError(
      "restoration/kernel",
      `the kernel has ${kernel.width} x ${kernel.height} pixels, more than the picture's ${width} x ${height}.`,
    );
  const [down, across] = [seam(kernel.height, height), seam(kernel.width, width)];
  const [fullHeight, fullWidth] = [height + down, width + across];
  const noise = Math.max(sigma, ROUNDING);
  const found = await restoreMeasured(
    denoiser,
    continueBlur(picture, visibleColours(picture), kernel),
    {
      height: fullHeight,
      width: fullWidth,
      data(extents, values, gain) {
        const measurement = blurMeasurement(extents, kernel);
        const whole = continued(values, extents[0], height, width, down, across);
        return {
          measurement,
          values: measurement.measureBlurred(whole),
          noise: measurement.noiseOf(noise * gain),
        };
      },
    },
    sampling,
  );
  const crop = (data: Float32Array): Float32Array => cropPlanes(data, fullHeight, fullWidth, height, width);
  const result = pictureOf(picture, { view: found.view, values: crop(found.values) }, height, width);
  const stride = strideOf(picture);
  if (picture.alpha)
    for (let i = picture.colours; i < result.samples.length; i += stride)
      result.samples[i] = picture.samples[i]!;
  keepHidden(picture, result.samples);
  return {
    picture: result,
    ...(found.deviation !== undefined && { deviation: seenDeviation(crop(found.deviation), result) }),
  };
}

/** Pixels between opposite borders: room for the kernel to fade, and no more than the picture has. */
function seam(kernel: number, extent: number): number {
  return Math.min(extent, Math.max(16, 4 * kernel));
}

/** Planes continued by `down` rows and `across` columns that lead from one border to the opposite one. */
function continued(
  values: Float32Array,
  channels: number,
  height: number,
  width: number,
  down: number,
  across: number,
): Float32Array {
  const [fullHeight, fullWidth] = [height + down, width + across];
  const out = new Float32Array(channels * fullHeight * fullWidth);
  for (let c = 0; c < channels; c++) {
    const from = c * height * width;
    const to = c * fullHeight * fullWidth;
    for (let y = 0; y < fullHeight; y++)
      for (let x = 0; x < fullWidth; x++) {
        let value = 0;
        for (const [row, rowShare] of meeting(y, height, down))
          for (const [column, columnShare] of meeting(x, width, across))
            value += rowShare * columnShare * values[from + row * width + column]!;
        out[to + y * fullWidth + x] = value;
      }
  }
  return out;
}

/** Where the value at `at` comes from: itself, or beyond the end both borders mirrored, by how near they are. */
function meeting(at: number, extent: number, seamLength: number): readonly (readonly [number, number])[] {
  if (at < extent) return [[at, 1]];
  const beyond = at - extent;
  const share = (beyond + 0.5) / seamLength;
  return [
    [extent - 1 - beyond, 1 - share],
    [seamLength - 1 - beyond, share],
  ];
}

function cropPlanes(
  data: Float32Array,
  fullHeight: number,
  fullWidth: number,
  height: number,
  width: number,
): Float32Array {
  const planes = data.length / (fullHeight * fullWidth);
  const out = new Float32Array(planes * height * width);
  for (let p = 0; p < planes; p++)
    for (let y = 0; y < height; y++) {
      const from = (p * fullHeight + y) * fullWidth;
      out.set(data.subarray(from, from + width), (p * height + y) * width);
    }
  return out;
}

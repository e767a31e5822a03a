/**
 * @module The denoising study: every method on every picture at every noise level, the same noise for all, measured with
 * one yardstick.
 */
import { psnr } from "../evaluation/psnr.ts";
import { ssim } from "../evaluation/ssim.ts";
import type { Method, ReadyMethod } from "./method.ts";
import { addNoise, type Picture } from "./noisy-pictures.ts";

/** One method on one noisy picture. */
export interface StudyRow {
  readonly method: string;
  readonly isPeer: boolean;
  readonly picture: string;
  /** Standard deviation of the noise, of 255. */
  readonly sigma: number;
  /** dB, of values as they are: noisy and denoised pictures are floats and not clipped. */
  readonly psnrIn: number;
  readonly psnrOut: number;
  /** dB, of the denoised picture clipped to [0, 1]. */
  readonly psnrClipped: number;
  /** Structural similarity of the denoised picture, not clipped. */
  readonly ssim: number;
  readonly macsPerPixel: number | undefined;
  readonly parameters: number | undefined;
  readonly ms: number;
  readonly pixels: number;
}

/** What is studied. */
export interface LocalStudyRequest {
  readonly methods: readonly Method[];
  readonly pictures: readonly Picture[];
  readonly sigmas: readonly number[];
  readonly seed: number;
  /** Told of each result as it comes; `image` is reused by the next. */
  readonly onResult?: (row: StudyRow, image: Float32Array, picture: Picture) => void;
}

/** Runs the study: rows by method, picture and noise level, in the order in which these were given. */
export async function runLocalStudy(request: LocalStudyRequest): Promise<StudyRow[]> {
  const { methods, pictures, sigmas, seed, onResult } = request;
  const rows: StudyRow[] = [];
  for (const method of methods) {
    let ready: ReadyMethod | undefined;
    let shape: string | undefined;
    try {
      for (const picture of pictures) {
        const { channels, height, width, data, name } = picture;
        const wanted = `${channels} ${height} ${width}`;
        if (shape !== wanted) {
          await ready?.dispose();
          ready = undefined; // so that it is not disposed of twice when the next cannot be made
          ready = await method.ready(picture);
          shape = wanted;
        }
        for (const sigma of sigmas) {
          const noisy = addNoise(picture, sigma, seed);
          const { image, ms } = await ready!.denoise(noisy, picture, sigma);
          const row: StudyRow = {
            method: method.name,
            isPeer: method.isPeer,
            picture: name,
            sigma,
            psnrIn: psnr(noisy, data),
            psnrOut: psnr(image, data),
            psnrClipped: psnr(image.map(clip), data),
            ssim: ssim(image, data, [channels, height, width]),
            macsPerPixel: method.macsPerPixel,
            parameters: method.parameters,
            ms,
            pixels: height * width,
          };
          rows.push(row);
          onResult?.(row, image, picture);
        }
      }
    } finally {
      await ready?.dispose();
    }
  }
  return rows;
}

const clip = (v: number): number => Math.min(1, Math.max(0, v));

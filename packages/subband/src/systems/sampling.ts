/**
 * @module Draws images from a trained system: diffusion on the low band by any sampler, then the details level by level.
 * Image i depends on (seed, i) alone: all its noise comes from streams of that name.
 */
import { rng } from "onnxgrad";
import { type ImageRange, startNoise, stepNoise } from "../diffusion/noise.ts";
import { linearPlan } from "../diffusion/samplers/samplers.ts";
import { runPlan } from "../diffusion/samplers/plan.ts";
import type { CompiledSampler, SamplerNetworks, System } from "./system.ts";

/** What is to be drawn. */
export interface SamplingRequest {
  readonly seed: number;
  /** Index of the first image; default 0. */
  readonly first?: number;
  readonly count: number;
  /** Name of a sampler, e.g. `dpmpp2m`. */
  readonly sampler: string;
  readonly steps: number;
  /** Called with the number of images done, and awaited; it must not wait for another drawing with the same sampler. */
  readonly onProgress?: (done: number) => void | Promise<void>;
}

/** Images and what they cost. */
export interface SampledImages {
  /** [count, channels, height, width], about [-1, 1]. */
  readonly data: Float32Array;
  /** Network calls an image on the low band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
}

/**
 * Draws `count` images, a compiled batch at a time; the last batch is filled up with images that are thrown away. Of
 * several drawings with one sampler each waits for those before.
 * @throws UserError for an unknown sampler or too few steps; `run/disposed`.
 */
export async function sampleImages(
  system: System,
  sampler: CompiledSampler,
  request: SamplingRequest,
): Promise<SampledImages> {
  const { seed, first = 0, count, steps, onProgress } = request;
  const sigmas = system.schedule.sigmas(steps);
  const plan = linearPlan(request.sampler, sigmas);
  const { channels, height, width } = system.image;
  const size = channels * height * width;
  const lowSize = system.low.channels * system.low.height * system.low.width;
  const draw = async (networks: SamplerNetworks): Promise<Float32Array> => {
    const data = new Float32Array(count * size);
    for (let start = 0; start < count; start += sampler.batch) {
      const images: ImageRange = { seed, first: first + start, count: sampler.batch };
      const x: Float32Array = startNoise<Float32Array>(
        images,
        sigmas[0]!,
        new Float32Array(sampler.batch * lowSize),
      );
      const low = await runPlan(plan, (state, { sigma }) => networks.denoise(state, sigma), x, {
        noise: stepNoise<Float32Array>(images),
      });
      const decoded = await networks.decode(low, (level, out) => detailNoise(images, level, out));
      const wanted = Math.min(sampler.batch, count - start);
      data.set(decoded.subarray(0, wanted * size), start * size);
      await onProgress?.(start + wanted);
    }
    return data;
  };
  const data = await (sampler.alone?.(draw) ?? draw(sampler));
  return { data, nfeLow: plan.length, nfeDetail: sampler.detailCalls };
}

/** Noise of the details of one level: image i from (seed, level, i). */
export function detailNoise({ seed, first = 0, count }: ImageRange, level: number, out: Float32Array): void {
  const size = out.length / count;
  for (let i = 0; i < count; i++)
    rng(seed, `sampling-detail-${level}`, first + i).fillNormal(out.subarray(i * size, (i + 1) * size));
}

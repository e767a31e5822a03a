/**
 * @module A whole sampler as one model file: noise in, pixels out, with the parameters inside and every network call
 * unrolled. It is traced from the functions and the plan that the compiled sampler runs, so the two cannot differ.
 */
import { add, cast, clamp, exportModel, mul, type NamedArray, round, type Tensor, transpose } from "onnxgrad";
import { linearPlan } from "../diffusion/samplers/samplers.ts";
import { noisySteps, unrollPlan } from "../diffusion/samplers/unroll-plan.ts";
import type { System } from "./system.ts";

/** What is to be exported. */
export interface ExportRequest {
  /** Name of a sampler, e.g. `dpmpp2m`. */
  readonly sampler: string;
  readonly steps: number;
  /** Kept in the file beside the sampler's own entries, e.g. configuration and licence. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** An input of the file: float32 [batch, ...shape] of independent N(0, 1) numbers. */
export interface NoiseInput {
  readonly name: string;
  /** Extents of one image's noise: [channels, height, width]. */
  readonly shape: readonly number[];
}

/** A sampler in one file. */
export interface ExportedSampler {
  /** The ONNX file. */
  readonly bytes: Uint8Array;
  /**
   * `noise` is the start; `step_noise_<k>` the noise of step k (0-based) of a stochastic sampler; `detail_noise_<level>`
   * that of the details of a level.
   */
  readonly inputs: readonly NoiseInput[];
  /** uint8 [batch, height, width, channels], channels red, green, blue. */
  readonly output: { readonly name: "image"; readonly shape: readonly number[] };
  /** Network calls an image on the low band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
}

/**
 * Writes the sampler of a system, with what a checkpoint has learned, as an ONNX model of any batch.
 * @throws UserError for an unknown sampler, too few steps, or a checkpoint of another system.
 */
export function exportSampler(
  system: System,
  checkpoint: ReadonlyMap<string, NamedArray>,
  { sampler, steps, metadata = {} }: ExportRequest,
): ExportedSampler {
  const sigmas = system.schedule.sigmas(steps);
  const plan = linearPlan(sampler, sigmas);
  const { denoise, decode, detailNoise } = system.traceSampler(checkpoint);
  const { channels, height, width } = system.low;
  const low = [channels, height, width];
  const inputs: readonly NoiseInput[] = [
    { name: "noise", shape: low },
    ...noisySteps(plan).map((step) => ({ name: `step_noise_${step}`, shape: low })),
    ...detailNoise.map(({ level, shape }) => ({ name: `detail_noise_${level}`, shape })),
  ];
  const nfeLow = plan.length;
  const nfeDetail = detailNoise.length;
  const { bytes } = exportModel(
    {
      name: "subband-sampler",
      metadata: {
        ...metadata,
        sampler,
        steps: String(steps),
        nfe_low: String(nfeLow),
        nfe_detail: String(nfeDetail),
        inputs: "float32 [batch, channels, height, width], independent N(0, 1)",
        output: "uint8 [batch, height, width, channels], RGB or grey",
      },
      inputs: Object.fromEntries(inputs.map(({ name, shape }) => [name, shape])),
    },
    (given: Readonly<Record<string, Tensor>>) => {
      const start = mul(given["noise"]!, sigmas[0]!);
      const sampled = unrollPlan(
        plan,
        (x, { sigma }) => denoise(x, sigma),
        start,
        (step) => given[`step_noise_${step}`]!,
      );
      return { image: toBytes(decode(sampled, (level) => given[`detail_noise_${level}`]!)) };
    },
  );
  const { image } = system;
  return {
    bytes,
    inputs,
    output: { name: "image", shape: [image.height, image.width, image.channels] },
    nfeLow,
    nfeDetail,
  };
}

/** Pixels [n,c,h,w] in [-1, 1], clipped, to bytes [n,h,w,c]. */
function toBytes(image: Tensor): Tensor {
  return transpose(cast(round(clamp(mul(add(image, 1), 127.5), 0, 255)), "uint8"), [0, 2, 3, 1]);
}

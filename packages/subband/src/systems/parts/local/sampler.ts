/**
 * @module A local model compiled for drawing images of one shape: the network of its coarsest low-pass band, or what was
 * trained in its place, and the conditional networks of the details with the inverse transform after each.
 */
import { type Backend, Lifetime, UserError } from "onnxgrad";
import type { DetailScale } from "../../../diffusion/ascent/multi-scale.ts";
import type { Residual } from "../../../diffusion/ascent/residual.ts";
import { synthesiseMeans } from "../../../wavelet/mean-bands.ts";
import { planes } from "../../../wavelet/planes.ts";
import { compileDenoiser, compileResidual, conditionalResidual } from "./denoiser.ts";
import { levelsOf, type LocalModel, requireCleanCondition } from "./model.ts";
import { type CompiledPrior, compilePrior, type LowPassPrior, multipleOf } from "./low-pass-prior.ts";

/** Images to be made. */
export interface SampleShape {
  readonly batch: number;
  readonly height: number;
  readonly width: number;
}

/** A local model compiled for sampling. Its networks reuse what they return: whoever runs them has the sampler alone. */
export interface LocalSampler {
  readonly batch: number;
  /** Extents of the images, flat: channels, height, width. */
  readonly image: readonly [channels: 1 | 3, height: number, width: number];
  /** Of the low-pass band: by the blind network, or by its own diffusion. */
  readonly low: LowPassNetwork;
  /** The details, coarsest first; none for a flat model and a U-Net. */
  readonly scales: readonly DetailScale[];
  /** Values of one low-pass band. */
  readonly lowSize: number;
  /** Runs `task`, which must not wait for another, while no other does; absent where networks share no memory. */
  alone?<T>(task: () => Promise<T>): Promise<T>;
  /** Frees the networks once all tasks before have ended; a task after it throws UserError `run/disposed`. */
  dispose(): Promise<void>;
}

/** What draws the low-pass band. */
export type LowPassNetwork =
  | { readonly kind: "blind"; readonly residual: Residual<Float32Array> }
  | ({ readonly kind: "prior" } & Pick<CompiledPrior, "denoise" | "restore">);

/**
 * Refuses extents that a model cannot make.
 * @throws UserError `sample/size`.
 */
export function requireSampleSize(
  model: LocalModel,
  prior: LowPassPrior | undefined,
  { height, width }: Pick<SampleShape, "height" | "width">,
): void {
  const unit = 2 ** levelsOf(model) * (prior === undefined ? 1 : multipleOf(prior));
  if (height % unit === 0 && width % unit === 0) return;
  const near = (extent: number): number => Math.max(unit, Math.round(extent / unit) * unit);
  throw new UserError(
    "sample/size",
    `size: ${width}x${height}; this model makes images whose extents are multiples of ${unit}. Use --size ` +
      `${near(width)}x${near(height)}.`,
  );
}

/**
 * Compiles a model for images of one shape. With `prior` the low-pass band is its business, without it that of the blind
 * network.
 * @throws UserError `sample/size`; `local/condition` for a model that sees noisy low-pass bands.
 */
export async function compileLocalSampler(
  backend: Backend,
  model: LocalModel,
  prior: LowPassPrior | undefined,
  { batch, height, width }: SampleShape,
): Promise<LocalSampler> {
  requireSampleSize(model, prior, { height, width });
  requireCleanCondition(model, "sampling");
  const { channels } = model;
  const details = model.kind === "unet" ? [] : model.details;
  const [h, w] = [height / 2 ** details.length, width / 2 ** details.length];
  const lowShape = [batch, channels, h, w] as const;
  const low =
    prior === undefined
      ? { kind: "blind" as const, ...(await blindResidual(backend, model, lowShape)) }
      : { kind: "prior" as const, ...(await compilePrior(backend, prior, lowShape)) };
  const networks = await Promise.all(
    details.map((network, i) =>
      compileResidual(backend, network, [batch, 4 * channels, height / 2 ** (i + 1), width / 2 ** (i + 1)], {
        reuse: true,
      }),
    ),
  );
  const lifetime = new Lifetime({
    what: "sampler",
    again: "Compile it again",
    async free() {
      await Promise.all([low.dispose(), ...networks.map((network) => network.dispose())]);
    },
  });
  return {
    batch,
    image: [channels, height, width],
    low,
    scales: detailScales(
      networks.map(({ residual }) => residual),
      { batch, channels, height, width, wavelet: model.wavelet },
    ),
    lowSize: channels * h * w,
    alone: (task) => lifetime.run(task),
    dispose: () => lifetime.dispose(),
  };
}

/** The residual of the low-pass band's network; of a U-Net, of the image. */
async function blindResidual(
  backend: Backend,
  model: LocalModel,
  shape: readonly [number, number, number, number],
): Promise<{ readonly residual: Residual<Float32Array>; dispose(): Promise<void> }> {
  if (model.kind === "pyramid") return compileResidual(backend, model.low, shape, { reuse: true });
  const { run, dispose } = await compileDenoiser(backend, model, shape, { reuse: true });
  const noise = new Float32Array(shape.reduce((a, b) => a * b));
  return {
    async residual(y) {
      const { image } = await run(y);
      for (let i = 0; i < noise.length; i++) noise[i] = y[i]! - image[i]!;
      return noise;
    },
    dispose,
  };
}

/** What the details are of. */
export interface DetailShape extends SampleShape {
  readonly channels: number;
  /** Name of the orthogonal wavelet. */
  readonly wavelet: string;
}

/**
 * Scales of synthesis, coarsest first, from the conditional networks of the details, finest first, for images of which
 * the finest have these extents.
 */
export function detailScales(
  residuals: readonly Residual<Float32Array>[],
  { batch, channels, height, width, wavelet }: DetailShape,
): readonly DetailScale[] {
  return residuals
    .map((residual, i): DetailScale => {
      const extents = [height / 2 ** (i + 1), width / 2 ** (i + 1)];
      return {
        residual: (low) => conditionalResidual(residual, low, batch),
        inverse: (low, details) =>
          synthesiseMeans(
            {
              low: planes(low, [batch, channels, ...extents]),
              details: planes(details, [batch, 3 * channels, ...extents]),
            },
            wavelet,
          ).data,
      };
    })
    .toReversed();
}

/**
 * @module Draws the details of a local model, given a low-pass band (Kadkhodaie et al. 2023, algorithm 2): stochastic
 * ascent on the conditional network of each level, coarsest first, and the inverse transform after each.
 */
import type { Backend } from "onnxgrad";
import {
  type DetailScale,
  type MultiScaleReport,
  synthesiseDetails,
} from "../../../diffusion/ascent/multi-scale.ts";
import type { Residual } from "../../../diffusion/ascent/residual.ts";
import type { AscentSettings } from "../../../diffusion/ascent/stochastic-ascent.ts";
import { synthesiseMeans } from "../../../wavelet/mean-bands.ts";
import { planes } from "../../../wavelet/planes.ts";
import type { OpenStep } from "../../draw.ts";
import { compileResidual, conditionalResidual } from "./denoiser.ts";
import type { PyramidModel } from "./model.ts";

/**
 * Settings of the details' ascent (Kadkhodaie et al. 2023, figures 5 to 7), but for its start: published is 1, four times
 * what the networks learn and more.
 */
export const DETAIL_ASCENT: AscentSettings = { h0: 0.01, beta: 0.1, sigmaInf: 0.01 };

/** Start of the details' ascent where the training is not known: details of images in [0, 1] are at most 1/2. */
const DETAIL_SIGMA = 0.25;

/** What the details are of. */
export interface DetailShape {
  readonly batch: number;
  readonly channels: number;
  readonly height: number;
  readonly width: number;
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

/**
 * The scales, each with its settings and its own start: `noise` is the strongest that each network knows, the finest level
 * first.
 */
export function scalesFrom(
  scales: readonly DetailScale[],
  details: AscentSettings,
  noise: readonly number[] | undefined,
): readonly DetailScale[] {
  return scales.map((scale, i) => ({
    ...scale,
    settings: { sigma0: noise?.[scales.length - 1 - i] ?? DETAIL_SIGMA, ...details },
  }));
}

/** How much of the way to its floor an ascent has made, 0..1, on the scale of ln sigma. */
export function fallen(
  { sigma }: Pick<MultiScaleReport, "sigma">,
  { sigma0 = 1, sigmaInf = 0.01 }: AscentSettings,
): number {
  return Math.min(1, Math.max(0, Math.log(sigma0 / sigma) / Math.log(sigma0 / sigmaInf)));
}

/** A step from low-pass bands in [0, 1] to images in about [-1, 1], over scales that have settings of their own. */
export function ascendDetails(
  scales: readonly DetailScale[],
  dispose: () => Promise<void> = () => Promise.resolve(),
): OpenStep {
  return {
    async run(given, images, onShare) {
      const { x, iterations, converged } = await synthesiseDetails(given!, scales, images, {
        onStep(report) {
          const at = scales.length - Number(report.band.slice("details-".length));
          return onShare((at + fallen(report, scales[at]!.settings!)) / scales.length);
        },
      });
      // Each level ends with one call more, the final denoising.
      const calls = Array.from({ length: images.count }, (_, i) =>
        iterations.reduce((total, steps) => total + steps[i]! + 1, 0),
      );
      return { data: x.map((value) => 2 * value - 1), calls, converged };
    },
    dispose,
  };
}

/** Opens that step for the networks of a model. */
export async function openDetails(
  backend: Backend,
  { details, wavelet, channels }: PyramidModel,
  { batch, height, width }: Pick<DetailShape, "batch" | "height" | "width">,
  settings: AscentSettings,
  noise: readonly number[] | undefined,
): Promise<OpenStep> {
  const networks = await Promise.all(
    details.map((network, i) =>
      compileResidual(backend, network, [batch, 4 * channels, height / 2 ** (i + 1), width / 2 ** (i + 1)], {
        reuse: true,
      }),
    ),
  );
  const scales = detailScales(
    networks.map(({ residual }) => residual),
    { batch, channels, height, width, wavelet },
  );
  return ascendDetails(scalesFrom(scales, settings, noise), async () => {
    await Promise.all(networks.map((network) => network.dispose()));
  });
}

/**
 * @module Enlarges pictures as multi-scale synthesis does (Kadkhodaie et al. 2023, algorithm 2): the picture is the
 * low-pass band, and the details of each finer level are drawn given the band, by stochastic ascent on the conditional
 * network of that level. Means of blocks are the picture, by construction.
 */
import { type Backend, UserError } from "onnxgrad";
import { synthesiseDetails } from "../diffusion/ascent/multi-scale.ts";
import { sampleMoments } from "../diffusion/sample-moments.ts";
import { receptiveFieldOf } from "../nn/bf-cnn.ts";
import { type BfCnnNetwork, configOf } from "../nn/bf-cnn-network.ts";
import { compileResidual } from "../systems/parts/local/denoiser.ts";
import {
  type LocalModel,
  requireCleanCondition,
  requireHaar,
  requirePyramid,
} from "../systems/parts/local/model.ts";
import { DETAIL_ASCENT, detailScales, fallen, scalesFrom } from "../systems/parts/local/detail-ascent.ts";
import { arraySource } from "./image-source.ts";
import type { Picture } from "./picture.ts";
import { copyRows } from "./pyramid-bands.ts";
import { sampleView } from "./restore-measured.ts";
import { runTiles } from "./run-tiles.ts";
import { type RestorationOptions, samplingOf } from "./restoration-options.ts";
import { samplesAtOnce } from "./sample-posterior.ts";
import { planTiles } from "./tile-plan.ts";
import { requireFactor, type Upscaled, upscaledOf } from "./upscale-picture.ts";
import { visibleColours } from "./visible-colours.ts";

/** How the details are drawn. */
export interface ConditionalOptions extends Omit<RestorationOptions, "sigma"> {
  /** See `LocalSamplingRequest`. */
  readonly detailNoise?: readonly number[] | undefined;
  /** Most coefficients of a tile; default `TILE_PIXELS`. */
  readonly tilePixels?: number;
}

/** One detail network over a lattice of one size. */
interface Lattice {
  /** Of images [n, 4c, height, width]; the result [n, 3c, height, width] is reused by the next call. */
  residual(x: Float32Array): Promise<Float32Array>;
  dispose(): Promise<void>;
}

/**
 * Enlarges a picture by a factor of 2, 4 or 8, with one conditional network of `model` each time that it doubles.
 * @throws UserError `restoration/factor`; `local/kind` for a U-Net, `local/wavelet` for another than Haar; `local/condition` for one that
 * sees noisy low-pass bands; `restoration/levels` for a model of too few levels; `restoration/too-large`.
 */
export async function upscaleConditional(
  backend: Backend,
  model: LocalModel,
  picture: Picture,
  factor: number,
  options: ConditionalOptions = {},
): Promise<Upscaled> {
  requireFactor(factor);
  const pyramid = requirePyramid(model, "--method conditional");
  requireHaar(model, "--method conditional");
  requireCleanCondition(model, "--method conditional");
  const levels = Math.log2(factor);
  requireLevels(pyramid.details.length, factor);
  const { channels } = pyramid;
  const sampling = samplingOf(options);
  const { seed, samples } = sampling;
  const [height, width] = [factor * picture.height, factor * picture.width];
  const size = channels * height * width;
  const atOnce = samplesAtOnce(size, samples);
  const lattices = await Promise.all(
    pyramid.details
      .slice(0, levels)
      .map((network, i) =>
        compileLattice(
          backend,
          network,
          atOnce,
          height / 2 ** (i + 1),
          width / 2 ** (i + 1),
          options.tilePixels,
        ),
      ),
  );
  const scales = detailScales(
    lattices.map(({ residual }) => residual),
    { batch: atOnce, channels, height, width, wavelet: "haar" },
  );
  const known = scalesFrom(scales, DETAIL_ASCENT, options.detailNoise);
  try {
    const shown = visibleColours(picture);
    const found = await sampleView(
      shown,
      channels,
      { height, width },
      sampling,
      async (image, given, _, own) => {
        const moments = sampleMoments(size);
        for (let first = 0; first < samples; first += atOnce) {
          const wanted = Math.min(atOnce, samples - first);
          const low = new Float32Array(atOnce * given.length);
          for (let i = 0; i < atOnce; i++) low.set(given, i * given.length);
          const images = { seed, first, count: atOnce, run: `plane-${image}` };
          const { x } = await synthesiseDetails(low, known, images, {
            async onStep(report) {
              const at = levels - Number(report.band.slice("details-".length));
              // A level costs four times the one before.
              const share =
                (4 ** at * (1 + 3 * fallen(report, known[at]!.settings!)) - 1) / (4 ** levels - 1);
              await own.onShare?.((first + wanted * share) / samples);
            },
          });
          moments.add(x.subarray(0, wanted * size));
        }
        return { mean: moments.mean(), ...(samples > 1 && { deviation: moments.std() }) };
      },
    );
    return await upscaledOf(picture, shown, found, factor);
  } finally {
    for (const { dispose } of lattices) await dispose();
  }
}

/** @throws UserError `restoration/levels`. */
function requireLevels(has: number, factor: number): void {
  const needs = Math.log2(factor);
  if (has >= needs) return;
  const most = 2 ** has;
  const less =
    has === 0
      ? "Take --method measured"
      : `Take --factor ${has === 1 ? 2 : most} or less, or --method measured`;
  throw new UserError(
    "restoration/levels",
    `--factor ${factor} by --method conditional takes a model of ${needs} levels or more; this one has ${has}. ${less}, ` +
      `or train a model of more levels (subband train --preset local --levels ${needs}).`,
  );
}

/** Compiles a network for tiles of a lattice of `images` images. */
async function compileLattice(
  backend: Backend,
  network: BfCnnNetwork,
  images: number,
  height: number,
  width: number,
  tilePixels: number | undefined,
): Promise<Lattice> {
  const { inputs, outputs, kernels } = configOf({ ...network.params, ...network.statistics });
  const radius = (receptiveFieldOf(kernels) - 1) / 2;
  const plan = planTiles({ height, width, images, radius, ...(tilePixels !== undefined && { tilePixels }) });
  const shape = [plan.batch, inputs, plan.height, plan.width] as const;
  const { residual, dispose } = await compileResidual(backend, network, shape, { reuse: true });
  const out = new Float32Array(images * outputs * height * width);
  return {
    async residual(x) {
      const source = arraySource(x, [images, inputs, height, width]);
      await runTiles({
        ...{ plan, images, inputs, outputs, width, network: residual },
        read: (image, top, left, tile) => source.read(image, top, left, plan.height, plan.width, tile),
        emit: (y, rows, values) => copyRows(values, y, rows, out, images * outputs, height, width),
      });
      return out;
    },
    dispose,
  };
}

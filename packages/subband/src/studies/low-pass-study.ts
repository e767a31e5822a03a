/**
 * @module The low-pass study: how many network calls each way of drawing the coarsest low-pass band of a local model
 * takes, and how near its bands come to those of the data.
 */
import { type Backend, rng, UserError } from "onnxgrad";
import type { Dataset } from "../data/dataset.ts";
import { stretch } from "../diffusion/ascent/multi-scale.ts";
import { bandReport, bandStatistics } from "../evaluation/band-report.ts";
import { spectrumFloor } from "../evaluation/spectrum-floor.ts";
import { greyImages, radialPowerSpectrum, radialSpectrumError } from "../spectrum/radial.ts";
import { localModel, type LocalModel, requirePyramid } from "../systems/parts/local/model.ts";
import { compileDraw } from "../drawing/compile-draw.ts";
import type { Arrays, DrawStep } from "../systems/draw.ts";
import { type BlindSampling, openBlind } from "../systems/parts/local/blind-band.ts";
import { drawEdmLow, type EdmLowConfig } from "../systems/parts/local/low-pass-prior.ts";
import type { SamplerChoice } from "../systems/parts/steps.ts";
import { analyseMeans } from "../wavelet/mean-bands.ts";
import { planes } from "../wavelet/planes.ts";

/** What is studied. */
export interface LowPassStudyRequest {
  readonly model: LocalModel;
  /** The diffusion that was trained for the band, in arrays of a checkpoint; without one its rows are left out. */
  readonly prior?: { readonly config: EdmLowConfig; readonly arrays: Arrays } | undefined;
  /** Bands of the data [n, channels, height, width] in [-1, 1]; extents are multiples of 4. */
  readonly real: Float32Array;
  readonly shape: readonly [n: number, channels: number, height: number, width: number];
  readonly seed: number;
  /** Bands drawn by methods of few calls, and by stochastic ascent. */
  readonly count: number;
  readonly ascentCount: number;
  readonly onProgress?: (method: string, done: number, total: number) => void | Promise<void>;
}

/** One way of drawing bands. */
export interface LowPassRow {
  readonly method: string;
  readonly images: number;
  /** Network calls a band. */
  readonly calls: number;
  /** Whether every ascent reached its floor. */
  readonly converged: boolean;
  /** Mean |log10| of the ratio of radial power spectra. */
  readonly spectrumError: number;
  /** Standard deviation over the data's: the finest details together, and the low band of two Haar levels. */
  readonly detailRatio: number;
  readonly lowRatio: number;
  /** Of the finest details, drawn and real. */
  readonly kurtosis: number;
  readonly realKurtosis: number;
  readonly ms: number;
}

/** What {@link runLowPassStudy} finds. */
export interface LowPassStudy {
  readonly rows: readonly LowPassRow[];
  /** Methods that did not end with bands, and why. */
  readonly failed: readonly { readonly method: string; readonly why: string }[];
  /** The spectrum error between random disjoint sets of the data; absent of a single image. */
  readonly floor: number | undefined;
}

/** Haar levels that bands are compared on. */
const LEVELS = 2;

/** [0, 0.8] of images in [0, 1], for images in [-1, 1]. */
const STRETCHED = [-1, 0.6] as const;

/** Images of the data that bands are compared with, at most. */
const REAL = 1024;

/** Most bands compiled together. */
const BATCH = 64;

type Method = { readonly prior: SamplerChoice } | { readonly blind: BlindSampling };

const METHODS: readonly (readonly [name: string, method: Method])[] = [
  ["diffusion (--edm-low), DPM-Solver++(2M) 20", { prior: { sampler: "dpmpp2m", steps: 20 } }],
  ["diffusion (--edm-low), Heun 10", { prior: { sampler: "heun", steps: 10 } }],
  ["blind network, DPM-Solver++(2M) 20", { blind: { sampler: "dpmpp2m", steps: 20 } }],
  ["stochastic ascent, rising h, beta 1", { blind: { ascent: { rising: true, beta: 1 } } }],
  ["stochastic ascent as published, fixed h, beta 0.01", { blind: { ascent: {} } }],
];

/**
 * Draws bands every way and measures them. Those of stochastic ascent are stretched to [0, 0.8], as the released code
 * stretches them before they get details.
 * @throws UserError `local/kind` for a U-Net; `study/low-pass` for bands of other extents.
 */
export async function runLowPassStudy(backend: Backend, request: LowPassStudyRequest): Promise<LowPassStudy> {
  const { model, prior, real, shape, seed, onProgress } = request;
  const [n, channels, height, width] = shape;
  if (height % 2 ** LEVELS !== 0 || width % 2 ** LEVELS !== 0)
    throw new UserError(
      "study/low-pass",
      `low-pass bands of ${width}x${height}: extents must be multiples of ${2 ** LEVELS}. Take a model of fewer levels.`,
    );
  const band = localModel(requirePyramid(model, "the low-pass study").low, []);
  const spectrum = (x: Float32Array) =>
    radialPowerSpectrum(greyImages(x, channels, height, width), height, width);
  const statistics = (data: Float32Array, count: number) =>
    bandStatistics({ data, shape: [count, channels, height, width] }, LEVELS);
  const size = channels * height * width;
  const reference = { spectrum: spectrum(real), bands: statistics(real, n) };
  const rows: LowPassRow[] = [];
  const failed: { method: string; why: string }[] = [];
  const image = { name: "low", gives: [channels, height, width], level: 0 } as const;
  for (const [method, low] of METHODS) {
    if ("prior" in low && prior === undefined) continue;
    const isAscent = "blind" in low && "ascent" in low.blind;
    const count = isAscent ? request.ascentCount : request.count;
    const batch = Math.min(count, BATCH);
    const step: DrawStep =
      "prior" in low
        ? drawEdmLow(prior!.config, low.prior, image)
        : { kind: "host", ...image, open: (on, _, n) => openBlind(on, band, n, image.gives, low.blind) };
    const drawing = await compileDraw(backend, [step], prior?.arrays ?? new Map(), batch);
    try {
      const began = performance.now();
      const { data, calls, converged } = await drawing.run({
        ...{ seed, count },
        ...(onProgress && { onProgress: (done: number) => onProgress(method, done, count) }),
      });
      const ms = (performance.now() - began) / count;
      if (isAscent)
        for (let i = 0; i < count; i++)
          stretch(data.subarray((i * data.length) / count, ((i + 1) * data.length) / count), STRETCHED);
      const [lh, hl, hh, ...rest] = bandReport(statistics(data, count), reference.bands);
      const details = [lh!, hl!, hh!];
      const power = (of: (each: (typeof details)[number]) => number) => Math.hypot(...details.map(of));
      rows.push({
        ...{ method, images: count, calls: calls[0]!, converged, ms },
        spectrumError: radialSpectrumError(spectrum(data), reference.spectrum),
        detailRatio: power(({ generated }) => generated.std) / power((each) => each.real.std),
        lowRatio: rest.at(-1)!.stdRatio,
        kurtosis: details.reduce((sum, { generated }) => sum + generated.kurtosis / 3, 0),
        realKurtosis: details.reduce((sum, each) => sum + each.real.kurtosis / 3, 0),
      });
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
      failed.push({ method, why: error.message });
    } finally {
      await drawing.dispose();
    }
  }
  return {
    rows,
    failed,
    floor: spectrumFloor(
      Array.from({ length: n }, (_, i) => spectrum(real.subarray(i * size, (i + 1) * size))),
      { generated: request.count, real: n },
      seed,
    ),
  };
}

/** The low-pass bands in [-1, 1] of up to 1024 images all over a data set, `levels` analyses down. */
export function lowPassBands(
  dataset: Dataset,
  wavelet: string,
  levels: number,
): Pick<LowPassStudyRequest, "real" | "shape"> {
  const { channels, height, width } = dataset;
  const n = Math.min(REAL, dataset.count);
  const size = channels * height * width;
  let band = planes(new Float32Array(n * size), [n, channels, height, width]);
  const chosen = rng(0, "real-images").permutation(dataset.count).subarray(0, n).sort();
  for (const [i, index] of chosen.entries()) dataset.read(index, false, band.data, i * size);
  for (let level = 0; level < levels; level++) band = analyseMeans(band, wavelet).low;
  return { real: band.data, shape: band.shape as unknown as LowPassStudyRequest["shape"] };
}

/** The study as a Markdown table. */
export function lowPassTable({ rows, failed, floor }: LowPassStudy): string {
  const header = [
    "low-pass band",
    "bands",
    "calls",
    "spectrum error",
    "std, finest details",
    "std, low",
    "kurtosis",
  ];
  const lines = rows.map((row) => [
    row.method + (row.converged ? "" : " (not all reached the floor)"),
    String(row.images),
    row.calls.toFixed(0),
    row.spectrumError.toFixed(3),
    row.detailRatio.toFixed(2),
    row.lowRatio.toFixed(2),
    `${row.kurtosis.toFixed(1)} / ${row.realKurtosis.toFixed(1)}`,
  ]);
  return [
    `| ${header.join(" | ")} |`,
    `|---|${"---:|".repeat(header.length - 1)}`,
    ...lines.map((cells) => `| ${cells.join(" | ")} |`),
    "",
    `Standard deviations over those of the data, kurtosis drawn / real. Real bands among themselves: spectrum error ${floor?.toFixed(3) ?? "not measured"}.`,
    ...failed.map(({ method, why }) => `No bands by ${method}: ${why}`),
  ].join("\n");
}

/**
 * @module A local model over images of any size. A pyramid goes level by level, each network over tiles of its own
 * lattice: a tile then overlaps its neighbours by the few coefficients that one network sees (6 for 13 x 13), not by the
 * 116 pixels that they see together, and the result equals one run over the whole image. A U-Net goes over tiles of the
 * image, which fade into each other, because it looks further than a tile can afford.
 */
import { type Backend, Lifetime, UserError } from "onnxgrad";
import { receptiveFieldOf } from "../nn/bf-cnn.ts";
import { configOf } from "../nn/bf-cnn-network.ts";
import { compileDenoiser, compileResidual } from "../systems/parts/local/denoiser.ts";
import {
  hasNoisyCondition,
  levelsOf,
  type LocalModel,
  mirrorMargin,
  type PyramidModel,
  summarise,
} from "../systems/parts/local/model.ts";
import { wrappedPixels } from "../wavelet/mean-bands.ts";
import { arraySource, type ImageSource, mirrored } from "./image-source.ts";
import { type BandLevel, bandLevel, copyRows, type RowSink, windowOf } from "./pyramid-bands.ts";
import { runTiles, type TileTask, type Wanted } from "./run-tiles.ts";
import { planTiles, TILE_PIXELS, type TileRequest } from "./tile-plan.ts";

export type { RowSink } from "./pyramid-bands.ts";

/** What is told while an image is denoised: the share done, 0..1. Awaited; throw from it to stop. */
export type OnShare = ((done: number) => void | Promise<void>) | undefined;

/** A model ready for images of any size. Programs are compiled as sizes ask for them, and kept. */
export interface TiledDenoiser {
  readonly model: LocalModel;
  /**
   * Denoises every image of the source, which is read meanwhile, rows from top to bottom. Where `wanted` [height, width]
   * is given, only where it is 1 must the rows be right, and tiles without any such pixel are left out. Of several calls
   * each waits for those before; what it calls must not.
   * @throws UserError `restoration/channels` when its channels are not those of the model; `run/disposed`.
   */
  denoise(source: ImageSource, emit: RowSink, onShare?: OnShare, wanted?: Uint8Array): Promise<void>;
  dispose(): Promise<void>;
}

/** Options of {@link tiledDenoiser}. */
export interface TiledDenoiserOptions {
  /** Most pixels (or coefficients) of a tile; default `TILE_PIXELS`. */
  readonly tilePixels?: number;
}

/** How far inside a tile a U-Net's pixels are kept, and over how many neighbours fade; less than it could see. */
const UNET_MARGIN = 32;
const UNET_BLEND = 32;

/** Programs kept, so that a folder of pictures of a few sizes compiles each once. */
const KEPT_PROGRAMS = 6;

/** Above as many pixels of all images together a program is dropped before the next: each holds its work memory. */
const LARGE = 8e6;

/** Prepares a model. */
export function tiledDenoiser(
  backend: Backend,
  model: LocalModel,
  options: TiledDenoiserOptions = {},
): TiledDenoiser {
  const programs = programCache();
  const lifetime = new Lifetime({
    what: "denoiser",
    again: "Make another",
    free: () => programs.dispose(),
  });
  return {
    model,
    denoise: (source, emit, onShare, wanted) => lifetime.run(() => denoise(source, emit, onShare, wanted)),
    dispose: () => lifetime.dispose(),
  };

  async function denoise(
    source: ImageSource,
    emit: RowSink,
    onShare: OnShare,
    wantedPixels: Uint8Array | undefined,
  ): Promise<void> {
    if (source.channels !== model.channels)
      throw new UserError(
        "restoration/channels",
        `images of ${source.channels} channels; this model takes ${model.channels}.`,
      );
    const multiple = 2 ** levelsOf(model);
    const up = (n: number): number => Math.ceil(n / multiple) * multiple;
    const margin = mirrorMargin(model);
    const [height, width] = [up(source.height) + 2 * margin, up(source.width) + 2 * margin];
    const padded = mirrored(source, height, width, margin);
    const cropped = cropRows(source, padded, margin, emit);
    const wanted = wantedPixels && wantedIn(wantedPixels, source, margin);
    if (model.kind === "unet") await denoiseTiles(padded, multiple, cropped, onShare, wanted);
    else await denoisePyramid(model, padded, cropped, onShare, wanted);
  }

  async function denoiseTiles(
    source: ImageSource,
    multiple: number,
    emit: RowSink,
    onProgress: OnShare,
    wanted: Wanted | undefined,
  ): Promise<void> {
    const { images, channels, height, width } = source;
    const plan = planTiles({
      ...{ height, width, images, multiple },
      ...unetOverlap(model, multiple, options),
    });
    const shape = [plan.batch, channels, plan.height, plan.width] as const;
    const network = await programs.get(`unet-${shape.join("-")}`, async () => {
      const { run, dispose } = await compileDenoiser(backend, model, shape, { borders: "wrap", reuse: true });
      return { run: async (x) => (await run(x)).image, dispose };
    });
    await runTiles({
      ...{ plan, images, width, network, emit, onProgress, wanted },
      inputs: channels,
      outputs: channels,
      read: (image, y, x, out) => source.read(image, y, x, plan.height, plan.width, out),
    });
  }

  /** From coarse to fine; see `denoiseBands()`, whose formulas these are. */
  async function denoisePyramid(
    pyramid: PyramidModel,
    source: ImageSource,
    emit: RowSink,
    onShare: OnShare,
    wanted: Wanted | undefined,
  ): Promise<void> {
    const { channels, images } = source;
    const levels: BandLevel[] = [];
    let coarsest = source;
    for (const _ of pyramid.details) {
      levels.push(bandLevel(coarsest, pyramid));
      coarsest = levels.at(-1)!.low;
    }
    const large = images * source.height * source.width > LARGE;
    const costs = summarise(pyramid).map(({ parameters }, i) => {
      const coarseness = i === 0 ? pyramid.details.length : pyramid.details.length - i + 1;
      return parameters / 4 ** coarseness;
    });
    const total = costs.reduce((a, b) => a + b);
    let finished = 0;
    const shareOf = (i: number): OnShare =>
      onShare && ((done) => onShare((finished + costs[i]! * done) / total));

    let clean: Float32Array | undefined;
    const sinkOf = (finest: boolean, height: number, width: number): RowSink => {
      if (finest) return emit;
      const found = (clean = new Float32Array(images * channels * height * width));
      return (y, rows, values) => copyRows(values, y, rows, found, images * channels, height, width);
    };
    const sink = sinkOf(pyramid.details.length === 0, coarsest.height, coarsest.width);
    await runNetwork(
      pyramid,
      0,
      coarsest,
      (y, rows, noise) => sink(y, rows, minus(windowOf(coarsest, y, rows), noise)),
      shareOf(0),
      pyramid.details.length === 0 ? wanted : undefined,
    );
    finished += costs[0]!;
    for (let level = pyramid.details.length; level >= 1; level--) {
      if (large) await programs.dispose();
      const { low: noisyLow, details, join } = levels.pop()!; // each band is let go once it has been used
      const { height, width } = details;
      const low = arraySource(clean!, [images, channels, height, width]);
      const joined = join(low, sinkOf(level === 1, 2 * height, 2 * width));
      const stage = pyramid.details.length - level + 1;
      await runNetwork(
        pyramid,
        level,
        hasNoisyCondition(pyramid) ? stacked(low, stacked(noisyLow, details)) : stacked(low, details),
        (y, rows, noise) => joined(y, rows, minus(windowOf(details, y, rows), noise)),
        shareOf(stage),
        // Nearly all work is in the finest details; all coarser ones are made.
        level === 1 ? wanted && wantedDetails(wanted) : undefined,
      );
      finished += costs[stage]!;
    }
  }

  /** The residual of network `level` (0: the low-pass band's) over a whole lattice, in rows. */
  async function runNetwork(
    { low, details }: PyramidModel,
    level: number,
    source: ImageSource,
    emit: RowSink,
    onProgress: OnShare,
    wanted: Wanted | undefined,
  ): Promise<void> {
    const network = level === 0 ? low : details[level - 1]!;
    const { outputs, kernels } = configOf({ ...network.params, ...network.statistics });
    const radius = (receptiveFieldOf(kernels) - 1) / 2;
    const { images, height, width, channels: inputs } = source;
    const plan = planTiles({ ...options, height, width, images, radius });
    const shape = [plan.batch, inputs, plan.height, plan.width] as const;
    const run = await programs.get(`${level}-${shape.join("-")}`, async () => {
      const { residual, dispose } = await compileResidual(backend, network, shape, { reuse: true });
      return { run: residual, dispose };
    });
    const task: TileTask = {
      ...{ plan, images, inputs, outputs, width, emit, onProgress, wanted },
      network: run,
      read: (image, y, x, out) => source.read(image, y, x, plan.height, plan.width, out),
    };
    await runTiles(task);
  }
}

/** Whether any wanted pixel lies in a part of the source that has been continued by `margin` above and to the left. */
function wantedIn(
  pixels: Uint8Array,
  { height, width }: Pick<ImageSource, "height" | "width">,
  margin: number,
): Wanted {
  return (top, bottom, left, right) => {
    const [from, to] = [Math.max(0, left - margin), Math.min(width, right - margin)];
    for (let y = Math.max(0, top - margin); y < Math.min(height, bottom - margin); y++)
      if (from < to && pixels.subarray(y * width + from, y * width + to).includes(1)) return true;
    return false;
  };
}

/** The coefficients that wanted pixels are made of: those of half the place, as far around as any filter reaches. */
function wantedDetails(wanted: Wanted): Wanted {
  const reach = 32;
  return (top, bottom, left, right) =>
    wanted(2 * top - reach, 2 * bottom + reach, 2 * left - reach, 2 * right + reach);
}

/**
 * How tiles of a U-Net overlap: beyond what their borders make wrong in the bands, as far as by Haar. Long filters take
 * larger tiles, of which at least a half is kept along each axis.
 */
function unetOverlap(
  { wavelet }: LocalModel,
  multiple: number,
  { tilePixels }: TiledDenoiserOptions,
): Pick<TileRequest, "radius" | "blend" | "tilePixels"> {
  const blend = UNET_BLEND;
  const wrapped = wrappedPixels(wavelet, Math.log2(multiple)) + wrappedPixels(wavelet, 1);
  const radius = UNET_MARGIN + wrapped;
  if (wrapped === 0) return { radius, blend, ...(tilePixels !== undefined && { tilePixels }) };
  const overlap = 2 * radius + blend + 2 * (multiple - 1);
  return { radius, blend, tilePixels: Math.max(tilePixels ?? TILE_PIXELS, (2 * overlap) ** 2) };
}

/** A network over one batch of tiles. */
type Run = (x: Float32Array) => Float32Array | Promise<Float32Array>;

interface Program {
  readonly run: Run;
  dispose(): Promise<void>;
}

/** The programs used last. */
function programCache(): {
  get(key: string, make: () => Promise<Program>): Promise<Run>;
  dispose(): Promise<void>;
} {
  const kept = new Map<string, Program>();
  return {
    async get(key, make) {
      const found = kept.get(key) ?? (await make());
      kept.delete(key); // and back in, as the last
      kept.set(key, found);
      const [oldest] = kept.keys();
      if (kept.size > KEPT_PROGRAMS) {
        await kept.get(oldest!)!.dispose();
        kept.delete(oldest!);
      }
      return found.run;
    },
    async dispose() {
      for (const { dispose } of kept.values()) await dispose();
      kept.clear();
    },
  };
}

/** The channels of one source, then those of another. */
function stacked(first: ImageSource, second: ImageSource): ImageSource {
  return {
    ...first,
    channels: first.channels + second.channels,
    read(image, y, x, height, width, out) {
      const size = first.channels * height * width;
      first.read(image, y, x, height, width, out.subarray(0, size));
      second.read(image, y, x, height, width, out.subarray(size));
    },
  };
}

/** a - b, in a. */
function minus(a: Float32Array, b: Float32Array): Float32Array {
  for (let i = 0; i < a.length; i++) a[i] = a[i]! - b[i]!;
  return a;
}

/** A sink of the padded rows that hands on what belongs to the image, which begins at (margin, margin). */
function cropRows(source: ImageSource, padded: ImageSource, margin: number, emit: RowSink): RowSink {
  const count = source.images * source.channels;
  if (padded === source) return emit;
  return (y, rows, values) => {
    const first = Math.max(0, margin - y);
    const kept = Math.min(rows, source.height + margin - y) - first;
    if (kept <= 0) return;
    const out = new Float32Array(count * kept * source.width);
    for (let p = 0; p < count; p++)
      for (let i = 0; i < kept; i++) {
        const from = (p * rows + first + i) * padded.width + margin;
        out.set(values.subarray(from, from + source.width), (p * kept + i) * source.width);
      }
    emit(y + first - margin, kept, out);
  };
}

/** Denoises into one array [images, channels, height, width], of `wanted` pixels at least. */
export async function denoiseToArray(
  denoiser: TiledDenoiser,
  source: ImageSource,
  onShare?: OnShare,
  wanted?: Uint8Array,
): Promise<Float32Array> {
  const { images, channels, height, width } = source;
  const out = new Float32Array(images * channels * height * width);
  await denoiser.denoise(
    source,
    (y, rows, values) => copyRows(values, y, rows, out, images * channels, height, width),
    onShare,
    wanted,
  );
  return out;
}

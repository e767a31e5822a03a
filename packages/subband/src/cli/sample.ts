/** @module `subband sample`: draws images from a trained run, and tells what they cost. */
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Draw, DrawChoice } from "../systems/draw.ts";
import type { Drawable } from "../training/open-drawable.ts";
import type { WeightsName } from "../loop/weights.ts";
import type { Context } from "./context.ts";
import { bestLine, formatCount } from "./format.ts";
import {
  addExamples,
  decimal,
  parseCount,
  parsePath,
  parsePositive,
  parseSize,
  parseSteps,
  parseThreads,
  type Size,
} from "./options.ts";
import { formatTable } from "./output.ts";

/** Options of the command. */
export interface SampleFlags {
  readonly n: number;
  readonly steps?: number;
  readonly sampler?: string;
  readonly weights?: string;
  readonly seed: number;
  readonly out?: string;
  readonly each?: string;
  readonly batch: number;
  readonly threads?: number;
  /** Of local models. */
  readonly size?: Size;
  readonly beta?: number;
  readonly detailsBeta?: number;
  readonly blind?: boolean;
}

/** Options of drawing that only some systems have, and how they are typed. */
const OWN_OPTIONS = {
  size: "--size",
  beta: "--beta",
  detailsBeta: "--details-beta",
  blind: "--blind",
} as const satisfies Partial<Record<keyof SampleFlags, string>>;

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("sample")
    .description("draw images from a run; image i depends on the seed and i alone, whatever the batch")
    .argument("<run>", "directory made by subband train, local model made by subband import, or builtin")
    .option("-n, --n <count>", "how many images", parsePositive, 64)
    .option(
      "--steps <k>",
      "steps of the sampler on the low band (default: the preset's; wmgm: 8, local: 20)",
      parseSteps,
    )
    .option(
      "--sampler <name>",
      "ddpm, ddim, euler, heun, edm, dpmpp2m or reverse-sde; of local models also ascent (default: the preset's; wmgm, local: dpmpp2m)",
    )
    .option("--weights <name>", "last, or best: of the moment with the best score (default: last)")
    .option("--seed <n>", "seed of the images", parseCount, 0)
    .option(
      "--out <file>",
      "all images in a grid: PNG, JPEG, WebP or TIFF by its name, - for a PNG to stdout (default: grid.png in the run)",
      parsePath,
    )
    .option("--each <folder>", "also write every image to a PNG of its own", parsePath)
    .option("--batch <n>", "images drawn at a time, at most", parsePositive, 64)
    .option("--size <pixels>", "local models: size of the images (default: that of training)", parseSize)
    .option("--beta <b>", "local models: of --sampler ascent; below 1 adds noise (default: 0.01)", parseBeta)
    .option("--details-beta <b>", "local models: of the details' ascent (default: 0.1)", parseBeta)
    .option("--blind", "local models: the blind network even where the run has a diffusion (--edm-low)")
    .option("--threads <n>", "threads inside one operation (default: all cores)", parseThreads)
    .action(async (run: string, flags: SampleFlags) => {
      const { emitBeside } = await import("./standard-streams.ts");
      const { lines, outcome } = await sampleRun(context, { run, ...flags });
      emitBeside(context, outcome.grid, { lines, json: { ...outcome } });
    });
  addExamples(command, [
    "subband sample runs/faces",
    "subband sample runs/faces -n 16 --steps 5 --sampler heun --seed 7 --out faces.png",
    "subband sample runs/faces -n 1000 --each samples --json",
    "subband sample runs/local --sampler ascent --beta 0.5 --size 96x64",
  ]);
}

/** A number in (0, 1]. */
function parseBeta(text: string): number {
  const value = decimal(text);
  if (!(value > 0 && value <= 1)) throw new InvalidArgumentError("Give a number above 0 and up to 1.");
  return value;
}

/** @throws UserError `sample/option` for an option that this way of drawing lacks. */
async function requireOptions(flags: SampleFlags, { options }: Draw): Promise<void> {
  const { UserError } = await import("onnxgrad");
  for (const [key, option] of Object.entries(OWN_OPTIONS))
    if (flags[key as keyof typeof OWN_OPTIONS] !== undefined && !options.includes(key))
      throw new UserError(
        "sample/option",
        `${option}: only local models have it (--preset local). Leave it out.`,
      );
}

/** What a sampling gave and cost, beside the choices of how to draw. */
export interface SampleOutcome extends DrawChoice {
  readonly run: string;
  readonly n: number;
  readonly size: Size;
  readonly seed: number;
  readonly weights: WeightsName;
  /** Where the best weights of each stage stood. */
  readonly best: Drawable["best"];
  /** Network calls an image, on average: on the low band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
  /** Whether every loop that stops by itself reached its end. */
  readonly converged: boolean;
  readonly batch: number;
  /** Sampling alone: no compilation, no files. */
  readonly msPerImage: number;
  readonly compileMs: number;
  readonly grid: string;
  /** Folder of the single images, if they were asked for. */
  readonly each: string | null;
}

/** Draws images from a run or a local model and writes them; `lines` are the outcome for people. */
export async function sampleRun(
  context: Context,
  { run, n, seed, batch: most, each, threads, ...flags }: SampleFlags & { readonly run: string },
): Promise<{ readonly lines: readonly string[]; readonly outcome: SampleOutcome }> {
  const { openBackend } = await import("./open-backend.ts");
  const { compileDraw } = await import("../drawing/compile-draw.ts");
  const { networkCalls } = await import("../drawing/network-calls.ts");
  const { modelPath } = await import("../restoration/model-source.ts");
  const { openDrawable } = await import("../training/open-drawable.ts");
  const { withFolders } = await import("./output-folders.ts");
  const { createProgress } = await import("./progress.ts");
  const { planSampleFiles, writeSamples } = await import("./sample-files.ts");
  const path = modelPath(run);
  const { draw, arrays, weights, best, warning, isRun } = openDrawable(path, flags.weights);
  await requireOptions({ n, seed, batch: most, ...flags }, draw);
  const chosen = draw.choose(flags);
  const steps = draw.steps(chosen);
  const [channels, height, width] = steps.at(-1)!.gives as [1 | 3, number, number];
  const { out: grid = gridOf(run, isRun) } = flags;
  const files = planSampleFiles(context, path, { grid, each }, n, { channels, height, width });

  const progress = createProgress(context);
  const drawFiles = async (): Promise<SampleOutcome> => {
    if (warning !== undefined) progress.note(`warning: ${warning}`);
    const batch = Math.min(n, most);
    const began = performance.now();
    const drawing = await compileDraw(await openBackend({ threads }), steps, arrays, batch);
    const compileMs = performance.now() - began;
    const started = performance.now();
    const { data, calls, converged } = await drawing.run({
      seed,
      count: n,
      onProgress: (done) =>
        progress.update({
          label: "sample",
          done: Math.floor(done),
          total: n,
          unit: "images",
          fraction: done / n,
        }),
    });
    const msPerImage = (performance.now() - started) / n;
    await drawing.dispose();
    if (!converged)
      progress.note(
        "warning: some images did not reach the noise level at which ascent stops; they are as it left them",
      );
    await writeSamples(context, { grid, each }, { data, n, channels, height, width });
    return {
      ...{ run, n, size: { width, height }, seed },
      ...chosen,
      ...{ weights, best, ...networkCalls(calls), converged, batch, msPerImage, compileMs, grid },
      each: each ?? null,
    };
  };
  const outcome = await withFolders(files, drawFiles).finally(() => progress.finish());
  return { outcome, lines: await outcomeLines(outcome, draw.describe(chosen)) };
}

/** In the run; beside a model, whose folder holds nothing else. */
function gridOf(path: string, isRun: boolean): string {
  return isRun ? join(path, "grid.png") : `${path.replace(/\.safetensors$|\/+$/, "")}-grid.png`;
}

/** The outcome for people; `described` are the choices of how to draw. */
async function outcomeLines(
  outcome: SampleOutcome,
  described: ReturnType<Draw["describe"]>,
): Promise<string[]> {
  const { shownPath } = await import("./standard-streams.ts");
  const { n, size, seed, weights, best, nfeLow, nfeDetail, msPerImage, batch, grid, each } = outcome;
  return formatTable([
    ["images", `${formatCount(n)} of ${size.width} x ${size.height}, seed ${seed}`],
    ...described,
    ...(weights === "last" ? [] : [["best weights", bestLine(best)] as const]),
    ["network calls", `${Math.round(nfeLow)} + ${Math.round(nfeDetail)} an image (low band + details)`],
    ["time", `${msPerImage.toFixed(1)} ms an image at batch ${batch}`],
    ["grid", shownPath(grid)],
    ...(each === null ? [] : [["each", each] as const]),
  ]);
}

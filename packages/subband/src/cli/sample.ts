/** @module `subband sample`: draws images from a trained run, and tells what they cost. */
import { join } from "node:path";
import type { Command } from "commander";
import type { DrawChoice } from "../systems/draw.ts";
import type { Drawable } from "../training/open-drawable.ts";
import type { WeightsName } from "../loop/weights.ts";
import type { Context } from "./context.ts";
import { type DrawingFlags, WEIGHTS_OPTION, withDrawing } from "./drawing-options.ts";
import { formatCount } from "./format.ts";
import { addBackendOptions, type BackendFlags, openBackend, openEarly } from "./open-backend.ts";
import type { Drawing } from "./open-drawing.ts";
import { addExamples, parseCount, parsePath, parsePositive } from "./options.ts";
import { formatTable, tellWarning } from "./output.ts";

export { complete } from "./drawing-options.ts";

/** What is to be drawn. */
export interface SampleRequest extends DrawingFlags, BackendFlags {
  readonly n: number;
  readonly seed: number;
  readonly out?: string;
  readonly each?: string;
  readonly batch: number;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("sample")
    .description("draw images from a run; image i depends on the seed and i alone, whatever the batch")
    .argument("<run>", "directory made by subband train, local model made by subband import, or builtin")
    .option("-n, --n <count>", "how many images", parsePositive, 64)
    .option(...WEIGHTS_OPTION)
    .option("--seed <n>", "seed of the images", parseCount, 0)
    .option(
      "--out <file>",
      "all images in a grid: PNG, JPEG, WebP or TIFF by its name, - for a PNG to stdout (default: grid.png in the run)",
      parsePath,
    )
    .option("--each <folder>", "also write every image to a PNG of its own", parsePath)
    .option("--batch <n>", "images drawn at a time, at most", parsePositive, 64)
    .action(async (run: string, flags: Omit<SampleRequest, "asked">) => {
      const { emitBeside } = await import("./standard-streams.ts");
      const { lines, outcome } = await sampleRun(context, run, await withDrawing(command, flags));
      emitBeside(context, outcome.grid, { lines, json: { ...outcome } });
    });
  addBackendOptions(command);
  addExamples(command, [
    "subband sample runs/faces",
    "subband sample runs/faces -n 16 --steps 5 --sampler heun --seed 7 --out faces.png",
    "subband sample runs/faces -n 1000 --each samples --json",
    "subband sample runs/local --sampler ascent --beta 0.5 --size 96x64",
  ]);
}

/** What a sampling gave and cost, beside the choices of how to draw. */
export interface SampleOutcome extends DrawChoice {
  readonly run: string;
  readonly n: number;
  readonly size: { readonly height: number; readonly width: number };
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
  run: string,
  { n, seed, batch: most, out, each, weights: named, asked, ...flags }: SampleRequest,
): Promise<{ readonly lines: readonly string[]; readonly outcome: SampleOutcome }> {
  const { modelPath } = await import("../restoration/model-source.ts");
  const path = modelPath(run);
  const early = openEarly(context, flags, path);
  const { compileDraw } = await import("../drawing/compile-draw.ts");
  const { networkCalls } = await import("../drawing/network-calls.ts");
  const { openDrawable } = await import("../training/open-drawable.ts");
  const { drawingOf } = await import("./open-drawing.ts");
  const { withOutputs } = await import("./output-folders.ts");
  const { imageProgress } = await import("./progress.ts");
  const opened = await openDrawable(path, named);
  const { arrays, weights, best } = opened;
  const { chosen, steps, described } = drawingOf(opened, asked);
  const backend = await (early ?? openBackend(context, flags));
  const { planSampleFiles, writeSamples } = await import("./sample-files.ts");
  const [channels, height, width] = steps.at(-1)!.gives as [1 | 3, number, number];
  const grid = out ?? gridOf(run, opened.run !== undefined);
  const files = planSampleFiles(context, path, { grid, each }, n, { channels, height, width });

  const outcome = await withOutputs(context, files, async (progress, wrote): Promise<SampleOutcome> => {
    tellWarning((line) => progress.note(line), opened);
    const batch = Math.min(n, most);
    const began = performance.now();
    const compiling = compileDraw(backend, steps, arrays, batch);
    // Traced: while the thread of the backend works at the models, the encoder of pictures loads.
    await Promise.all([compiling, import("sharp")]);
    const drawing = await compiling;
    const compileMs = performance.now() - began;
    const started = performance.now();
    const { data, calls, converged, msPerImage } = await drawing
      .run({ seed, count: n, onProgress: (done) => imageProgress(progress, "sample", done, n) })
      .then((drawn) => ({ ...drawn, msPerImage: (performance.now() - started) / n }))
      .finally(() => drawing.dispose());
    if (!converged)
      progress.note(
        "warning: some images did not reach the noise level at which ascent stops; they are as it left them",
      );
    await writeSamples(context, { grid, each }, { data, n, channels, height, width }, wrote);
    return {
      ...{ run, n, size: { width, height }, seed },
      ...chosen,
      ...{ weights, best, ...networkCalls(calls), converged, batch, msPerImage, compileMs, grid },
      each: each ?? null,
    };
  });
  return { outcome, lines: await outcomeLines(outcome, described) };
}

/** In the run; beside a model, whose folder holds nothing else. */
function gridOf(path: string, isRun: boolean): string {
  return isRun ? join(path, "grid.png") : `${path.replace(/\.safetensors$|\/+$/, "")}-grid.png`;
}

/** The outcome for people; `described` are the choices of how to draw. */
async function outcomeLines(outcome: SampleOutcome, described: Drawing["described"]): Promise<string[]> {
  const { weightsRows } = await import("./open-drawing.ts");
  const { shownPath } = await import("./standard-streams.ts");
  const { n, size, seed, nfeLow, nfeDetail, msPerImage, batch, grid, each } = outcome;
  return formatTable([
    ["images", `${formatCount(n)} of ${size.width} x ${size.height}, seed ${seed}`],
    ...described,
    ...weightsRows(outcome),
    ["network calls", `${Math.round(nfeLow)} + ${Math.round(nfeDetail)} an image (low band + details)`],
    ["time", `${msPerImage.toFixed(1)} ms an image at batch ${batch}`],
    ["grid", shownPath(grid)],
    ...(each === null ? [] : [["each", each] as const]),
  ]);
}

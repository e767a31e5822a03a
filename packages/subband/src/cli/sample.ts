/** @module `subband sample`: draws images from a trained run, and tells what they cost. */
import { join } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { LoadedRun } from "../training/load-run.ts";
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
  /** Of local models: see `sample-local.ts`. */
  readonly size?: Size;
  readonly beta?: number;
  readonly detailsBeta?: number;
  readonly blind?: boolean;
}

/** Options that only local models have, and how they are typed. */
const LOCAL_OPTIONS = {
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
      const { modelPath } = await import("../restoration/model-source.ts");
      const { isDenoiser } = await import("../training/model-file.ts");
      const { emitBeside } = await import("./standard-streams.ts");
      if (isDenoiser(modelPath(run))) {
        const { localLines, sampleLocalModel } = await import("./sample-local.ts");
        const outcome = await sampleLocalModel(context, { run, ...flags });
        emitBeside(context, outcome.grid, { lines: localLines(outcome), json: { ...outcome } });
        return;
      }
      await refuseLocalOptions(flags);
      const outcome = await sampleRun(context, { run, ...flags });
      emitBeside(context, outcome.grid, { lines: outcomeLines(outcome), json: { ...outcome } });
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

/** @throws UserError `sample/option` for an option that only local models have. */
async function refuseLocalOptions(flags: SampleFlags): Promise<void> {
  const { UserError } = await import("onnxgrad");
  for (const [key, option] of Object.entries(LOCAL_OPTIONS))
    if (flags[key as keyof typeof LOCAL_OPTIONS] !== undefined)
      throw new UserError(
        "sample/option",
        `${option}: only local models have it (--preset local). Leave it out.`,
      );
}

/** What a sampling gave and cost. */
export interface SampleOutcome {
  readonly run: string;
  readonly n: number;
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number | null;
  readonly weights: WeightsName;
  /** Where the best weights of each stage stood. */
  readonly best: LoadedRun["best"];
  /** Network calls an image: on the low band, and for the details. */
  readonly nfeLow: number;
  readonly nfeDetail: number;
  readonly batch: number;
  /** Sampling alone: no compilation, no files. */
  readonly msPerImage: number;
  readonly compileMs: number;
  readonly grid: string;
  /** Folder of the single images, if they were asked for. */
  readonly each: string | null;
}

/** Draws images from a run and writes them. */
export async function sampleRun(
  context: Context,
  { run, n, seed, batch: most, each, threads, ...flags }: SampleFlags & { readonly run: string },
): Promise<SampleOutcome> {
  const { node } = await import("onnxgrad/node");
  const { compileDraw } = await import("../drawing/compile-draw.ts");
  const { networkCalls } = await import("../drawing/network-calls.ts");
  const { systemOf } = await import("../training/run-config.ts");
  const { loadRun } = await import("../training/load-run.ts");
  const { weightsNamed } = await import("../loop/weights.ts");
  const { withFolders } = await import("./output-folders.ts");
  const { createProgress } = await import("./progress.ts");
  const { planSampleFiles, writeSamples } = await import("./sample-files.ts");
  const { config, tensors, weights, best, warning } = loadRun(run, weightsNamed(flags.weights ?? "last"));
  const { out: grid = join(run, "grid.png") } = flags;
  const system = systemOf(config);
  const chosen = system.draw.choose({ sampler: flags.sampler, steps: flags.steps });
  const files = planSampleFiles(context, run, { grid, each }, n, system.image);

  const progress = createProgress(context);
  const draw = async (): Promise<SampleOutcome> => {
    if (warning !== undefined) progress.note(`warning: ${warning}`);
    const batch = Math.min(n, most);
    const began = performance.now();
    const backend = node(threads === undefined ? {} : { threads });
    const compiled = await compileDraw(backend, system.draw.steps(chosen), tensors, batch);
    const compileMs = performance.now() - began;
    const started = performance.now();
    const { data, calls } = await compiled.run({
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
    await compiled.dispose();
    await writeSamples(context, { grid, each }, { data, n, ...system.image });
    return {
      run,
      n,
      seed,
      sampler: chosen.sampler,
      steps: chosen.steps,
      weights,
      best,
      ...networkCalls(calls),
      batch,
      msPerImage,
      compileMs,
      grid,
      each: each ?? null,
    };
  };
  return withFolders(files, draw).finally(() => progress.finish());
}

/** The outcome for people. */
export function outcomeLines(outcome: SampleOutcome): string[] {
  const { n, seed, sampler, steps, weights, best, nfeLow, nfeDetail, msPerImage, batch, grid, each } =
    outcome;
  return formatTable([
    ["images", `${formatCount(n)}, seed ${seed}`],
    ["sampler", `${sampler}, ${steps} steps`],
    ...(weights === "last" ? [] : [["best weights", bestLine(best)] as const]),
    ["network calls", `${nfeLow} + ${nfeDetail} an image (low band + details)`],
    ["time", `${msPerImage.toFixed(1)} ms an image at batch ${batch}`],
    ["grid", grid === "-" ? "stdout" : grid],
    ...(each === null ? [] : [["each", each] as const]),
  ]);
}

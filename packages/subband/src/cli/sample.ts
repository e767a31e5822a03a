/** @module `subband sample`: draws images from a trained run, and tells what they cost. */
import { dirname, join } from "node:path";
import type { Command } from "commander";
import type { LoadedRun } from "../training/load-run.ts";
import type { WeightsName } from "../training/weights.ts";
import type { Context } from "./context.ts";
import { bestLine, formatCount } from "./format.ts";
import { addExamples, parseCount, parsePositive } from "./options.ts";
import { emit, formatTable } from "./output.ts";

/** Options of the command. */
interface SampleFlags {
  readonly n: number;
  readonly steps?: number;
  readonly sampler?: string;
  readonly weights?: string;
  readonly seed: number;
  readonly out?: string;
  readonly each?: string;
  readonly batch: number;
  readonly threads?: number;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("sample")
    .description("draw images from a run; image i depends on the seed and i alone, whatever the batch")
    .argument("<run>", "directory made by subband train")
    .option("-n, --n <count>", "how many images", parsePositive, 64)
    .option(
      "--steps <k>",
      "steps of the sampler on the low band (default: the preset's; wmgm: 8)",
      parsePositive,
    )
    .option(
      "--sampler <name>",
      "ddpm, ddim, euler, heun, edm, dpmpp2m or reverse-sde (default: the preset's; wmgm: dpmpp2m)",
    )
    .option("--weights <name>", "last, or best: of the moment with the best score (default: last)")
    .option("--seed <n>", "seed of the images", parseCount, 0)
    .option("--out <file>", "PNG of all images in a grid (default: grid.png in the run)")
    .option("--each <folder>", "also write every image to a PNG of its own")
    .option("--batch <n>", "images drawn at a time, at most", parsePositive, 64)
    .option("--threads <n>", "threads inside one operation (default: all cores)", parsePositive)
    .action(async (run: string, flags: SampleFlags) => {
      const outcome = await sampleRun(context, { run, ...flags });
      emit(context, { lines: outcomeLines(outcome), json: { ...outcome } });
    });
  addExamples(command, [
    "subband sample runs/faces",
    "subband sample runs/faces -n 16 --steps 5 --sampler heun --seed 7 --out faces.png",
    "subband sample runs/faces -n 1000 --each samples --json",
  ]);
}

/** What a sampling gave and cost. */
export interface SampleOutcome {
  readonly run: string;
  readonly n: number;
  readonly seed: number;
  readonly sampler: string;
  readonly steps: number;
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
  const { samplerPlan } = await import("../diffusion/samplers/samplers.ts");
  const { sampleImages } = await import("../systems/sampling.ts");
  const { samplingOf, systemOf } = await import("../training/run-config.ts");
  const { makeFolder } = await import("../training/run-directory.ts");
  const { loadRun } = await import("../training/load-run.ts");
  const { saveEach, saveGrid } = await import("../training/sample-grid.ts");
  const { weightsNamed } = await import("../training/weights.ts");
  const { createProgress } = await import("./progress.ts");
  const { config, tensors, weights, best, warning } = loadRun(run, weightsNamed(flags.weights ?? "last"));
  const usual = samplingOf(config);
  const { sampler = usual.sampler, steps = usual.steps, out: grid = join(run, "grid.png") } = flags;
  samplerPlan(sampler, steps); // refuses before anything is compiled or made
  makeFolder(dirname(grid));
  if (each !== undefined) makeFolder(each);

  const progress = createProgress(context);
  try {
    if (warning !== undefined) progress.note(`warning: ${warning}`);
    const system = systemOf(config);
    const batch = Math.min(n, most);
    const began = performance.now();
    const compiled = await system.createSampler(
      node(threads === undefined ? {} : { threads }),
      tensors,
      batch,
    );
    const compileMs = performance.now() - began;
    const started = performance.now();
    const { data, nfeLow, nfeDetail } = await sampleImages(system, compiled, {
      seed,
      count: n,
      sampler,
      steps,
      onProgress: (done) => progress.update({ label: "sample", done, total: n, unit: "images" }),
    });
    const msPerImage = (performance.now() - started) / n;
    await compiled.dispose();
    const images = { data, n, ...system.image };
    await saveGrid(grid, images);
    if (each !== undefined) await saveEach(each, images);
    return {
      run,
      n,
      seed,
      sampler,
      steps,
      weights,
      best,
      nfeLow,
      nfeDetail,
      batch,
      msPerImage,
      compileMs,
      grid,
      each: each ?? null,
    };
  } finally {
    progress.finish();
  }
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
    ["grid", grid],
    ...(each === null ? [] : [["each", each] as const]),
  ]);
}

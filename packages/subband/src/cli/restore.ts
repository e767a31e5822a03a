/**
 * @module What the commands that restore pictures share: options, opening the model, going through files, the progress
 * bar, comparison with a reference, and what is told in the end.
 */
import { mkdirSync } from "node:fs";
import { dirname, extname } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { Similarity } from "../restoration/compare-pictures.ts";
import type { Picture } from "../restoration/picture.ts";
import type { RestorationJob } from "../restoration/restoration-jobs.ts";
import type { OnShare, TiledDenoiser } from "../restoration/tiled-denoiser.ts";
import type { LoadedModel } from "../training/model-file.ts";
import type { Context } from "./context.ts";
import { formatCount, formatDuration, formatValue } from "./format.ts";
import { emit, formatTable, note } from "./output.ts";
import type { Progress } from "./progress.ts";

/** Options of every such command. */
export interface RestoreFlags {
  readonly out?: string;
  readonly model: string;
  readonly compare?: string;
  readonly force?: boolean;
}

/** What a command does to one picture. */
export interface Restored {
  readonly picture: Picture;
  /** The picture as it would be without a model, at the result's size; default the input. */
  readonly before?: Picture;
  /** Pictures to write beside the result, by path. */
  readonly extra?: readonly { readonly path: string; readonly picture: Picture }[];
  /** What to tell, e.g. the estimated noise; into the table and, by name, into the JSON. */
  readonly rows?: readonly (readonly [string, string])[];
  readonly json?: Readonly<Record<string, unknown>>;
  readonly notes?: readonly string[];
}

/** What a command is, for {@link restoreAll}. */
export interface Restoration {
  /** In the progress bar: `denoise`. */
  readonly verb: string;
  /** Of default outputs: `denoised`. */
  readonly suffix: string;
  restore(
    picture: Picture,
    denoiser: TiledDenoiser,
    onShare: OnShare,
    loaded: LoadedModel,
  ): Promise<Restored>;
}

/** Adds the options that all commands take. */
export function addRestoreOptions(command: Command): Command {
  return command
    .argument("<input>", "a picture, or a folder of pictures")
    .option("--out <path>", "picture to write, or folder for a folder (default: beside the input)")
    .option("--model <path>", "run, imported model, or builtin", "builtin")
    .option("--compare <reference>", "clean picture (or folder): print PSNR and SSIM, write a strip of both")
    .option("--force", "let the output replace the input");
}

/** A noise level of full intensity 1: `0.1`, or `25/255`; `auto` where the command may find it. */
export function parseSigma(text: string): number | "auto" {
  if (text.trim() === "auto") return "auto";
  const [, over, under = "1"] = /^\s*(\d*\.?\d+(?:e-?\d+)?)\s*(?:\/\s*(\d*\.?\d+))?\s*$/i.exec(text) ?? [];
  const value = Number(over) / Number(under);
  if (over === undefined || !Number.isFinite(value) || value < 0)
    throw new InvalidArgumentError("Give auto, or a deviation where white is 1: 0.1, or 25/255.");
  if (value > 1)
    throw new InvalidArgumentError(
      `White is 1, so at most 1.${value <= 255 && under === "1" ? ` Did you mean ${text.trim()}/255?` : ""}`,
    );
  return value;
}

/** Restores every picture of the input and tells about it. */
export async function restoreAll(
  context: Context,
  input: string,
  flags: RestoreFlags,
  restoration: Restoration,
): Promise<void> {
  const { node } = await import("onnxgrad/node");
  const { UserError } = await import("onnxgrad");
  const { openModel } = await import("../restoration/model-source.ts");
  const { restorationJobs } = await import("../restoration/restoration-jobs.ts");
  const { createProgress } = await import("./progress.ts");
  const { tiledDenoiser } = await import("../restoration/tiled-denoiser.ts");
  const { out, compare: reference, force } = flags;
  const jobs = await restorationJobs({ input, out, suffix: restoration.suffix, reference, force });
  const loaded = openModel(flags.model);
  const denoiser = tiledDenoiser(node(), loaded.model);
  const progress = createProgress(context);
  const results: Record<string, unknown>[] = [];
  const failed: { readonly input: string; readonly error: string }[] = [];
  const lines: string[] = [];
  try {
    for (const [i, job] of jobs.entries()) {
      try {
        const result = await restoreOne(
          context,
          job,
          restoration,
          denoiser,
          loaded,
          progress,
          i,
          jobs.length,
        );
        results.push(result.json);
        lines.push(...(jobs.length === 1 ? result.lines : [result.line]));
      } catch (error) {
        // One broken picture does not stop a folder; what would stop every picture does.
        if (jobs.length === 1 || !(error instanceof UserError) || !error.code.startsWith("picture/"))
          throw error;
        failed.push({ input: job.input, error: error.message });
        progress.note(`left out: ${error.message}`);
      }
    }
  } finally {
    progress.finish();
    await denoiser.dispose();
  }
  if (results.length === 0)
    throw new UserError("picture/none", `none of ${jobs.length} pictures: ${failed[0]!.error}`);
  const summary =
    jobs.length === 1
      ? []
      : [`${formatCount(results.length)} of ${formatCount(jobs.length)} pictures written.`];
  emit(context, {
    lines: [...lines, ...summary],
    json: { model: loaded.file, pictures: results, failed },
  });
}

/** Reads, restores, writes and compares one picture. */
async function restoreOne(
  context: Context,
  job: RestorationJob,
  restoration: Restoration,
  denoiser: TiledDenoiser,
  loaded: LoadedModel,
  progress: Progress,
  index: number,
  total: number,
): Promise<{
  readonly line: string;
  readonly lines: readonly string[];
  readonly json: Record<string, unknown>;
}> {
  const { keepsProfile, readPicture, writePicture } = await import("../restoration/picture.ts");
  const { similarity, stripPng } = await import("../restoration/compare-pictures.ts");
  const { writeFileAtomic } = await import("../training/atomic-file.ts");
  const { UserError } = await import("onnxgrad");
  const picture = await readPicture(job.input, keepsProfile(job.output));
  const reference = job.reference === undefined ? undefined : await readPicture(job.reference, true);
  for (const line of picture.notes) progress.note(`note: ${line}`);
  const begun = performance.now();
  const { signal } = context;
  const onShare: OnShare = async (share) => {
    progress.update({
      label: restoration.verb,
      done: index + share,
      total,
      unit: "images",
      fraction: (index + share) / total,
    });
    await new Promise(setImmediate); // lets a signal in
    if (signal.aborted)
      throw new UserError("restoration/stopped", `stopped; "${job.output}" was not written.`);
  };
  const found = await restoration.restore(picture, denoiser, onShare, loaded);
  const seconds = (performance.now() - begun) / 1000;
  const { picture: result, before = picture, extra = [] } = found;
  mkdirSync(dirname(job.output), { recursive: true });
  const notes = [...(found.notes ?? []), ...(await writePicture(job.output, result))];
  for (const each of extra) notes.push(...(await writePicture(each.path, each.picture)));
  for (const line of notes) progress.note(`note: ${line}`);

  const rows: (readonly [string, string])[] = [
    ["picture", `${job.output}, ${result.width} x ${result.height}, ${kindOf(result)}`],
    ...(found.rows ?? []),
  ];
  const json: Record<string, unknown> = {
    input: job.input,
    output: job.output,
    width: result.width,
    height: result.height,
    colours: result.colours,
    bits: result.samples instanceof Uint16Array ? 16 : 8,
    seconds,
    megapixelsPerSecond: (result.width * result.height) / 1e6 / seconds,
    notes: [...picture.notes, ...notes],
    ...found.json,
  };
  let compared = "";
  if (reference !== undefined) {
    const [a, b] = [await similarity(before, reference), await similarity(result, reference)];
    const strip = `${job.output.slice(0, -extname(job.output).length)}-compare.png`;
    writeFileAtomic(strip, await stripPng([before, result, reference]));
    for (const line of b.notes ?? []) progress.note(`note: ${line}`);
    compared = `, ${formatSimilarity(a)} -> ${formatSimilarity(b)}`;
    rows.push(["before", formatSimilarity(a)], ["after", formatSimilarity(b)], ["strip", strip]);
    Object.assign(json, { before: a, after: b, strip });
  }
  const speed = `${formatDuration(seconds)}, ${formatValue((result.width * result.height) / 1e6 / seconds)} megapixels/s`;
  rows.push(["time", speed]);
  const line = `${job.output}  ${result.width} x ${result.height}, ${formatDuration(seconds)}${compared}`;
  return { line, lines: formatTable(rows), json };
}

function kindOf({ colours, alpha, samples }: Picture): string {
  const bits = samples instanceof Uint16Array ? 16 : 8;
  return `${colours === 1 ? "gray" : "colour"}${alpha ? " with alpha" : ""}, ${bits} bits`;
}

function formatSimilarity({ psnr, ssim }: Similarity): string {
  return `PSNR ${psnr.toFixed(2)} dB${ssim === undefined ? "" : `, SSIM ${ssim.toFixed(4)}`}`;
}

/** Tells a person something before the work begins. */
export function warn(context: Context, line: string): void {
  note(context, `note: ${line}`);
}

/**
 * @module What the commands that restore pictures share: options, the plan of all that is read and written, going through
 * the pictures, and what is told in the end.
 */
import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import { addBackendOptions, type BackendFlags, openBackend } from "./open-backend.ts";
import { parsePath } from "./options.ts";
import { complain } from "./output.ts";
import type { PlannedRestoration } from "./plan-restoration.ts";
import type { Restoration, RestoredOne, Workplace } from "./restore-one.ts";

/** Options of every such command. */
export interface RestoreFlags extends BackendFlags {
  readonly out?: string;
  readonly model: string;
  readonly compare?: string;
  readonly force?: boolean;
}

/** Adds the options that all commands take. */
export function addRestoreOptions(command: Command): Command {
  return addBackendOptions(command)
    .argument("<input>", "a picture, or a folder of pictures; - for one picture from stdin")
    .option(
      "--out <path>",
      "picture to write, or folder for a folder; - for a PNG to stdout (default: beside the input)",
      parsePath,
    )
    .option("--model <path>", "run, imported model, or builtin", parsePath, "builtin")
    .option(
      "--compare <reference>",
      "clean picture (or folder): print PSNR and SSIM, write a strip of both",
      parsePath,
    )
    .option("--force", "let the output replace the input, and nothing else");
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
  const { openModel } = await import("../restoration/model-source.ts");
  const { tiledDenoiser } = await import("../restoration/tiled-denoiser.ts");
  const { withOutputs } = await import("./output-folders.ts");
  const { planRestoration } = await import("./plan-restoration.ts");
  const plan = await planRestoration(context, input, flags, restoration);
  const loaded = await openModel(flags.model);
  await restoration.companion?.read(plan.source(restoration.companion.path));
  const backend = await openBackend(context, flags);
  const denoiser = tiledDenoiser(backend, loaded.model);
  const { source } = plan;
  try {
    const done = await withOutputs(context, plan.outputs, async (progress) =>
      restoreEach({ context, restoration, loaded, backend, denoiser, progress, source }, plan),
    );
    await report(context, plan, done, loaded.file);
  } finally {
    await denoiser.dispose();
  }
}

/** Codes of errors that are of no single picture: a full disk. */
const STOPS_ALL = /^file\//;

/** What became of the pictures. */
interface Done {
  readonly results: readonly RestoredOne[];
  readonly failed: readonly { readonly input: string; readonly error: string }[];
}

/**
 * Restores one after the other; where there are several, one that cannot be does not stop the others. What is done when
 * the user stops it is an outcome, too.
 */
async function restoreEach(place: Workplace, { jobs, isFolder }: PlannedRestoration): Promise<Done> {
  const { UserError } = await import("onnxgrad");
  const { errorLine } = await import("./describe-error.ts");
  const { restoreOne } = await import("./restore-one.ts");
  const { context, progress } = place;
  const results: RestoredOne[] = [];
  const failed: { readonly input: string; readonly error: string }[] = [];
  for (const [i, job] of jobs.entries()) {
    try {
      results.push(await restoreOne(place, job, i, jobs.length));
    } catch (error) {
      if (context.signal.aborted && error === context.signal.reason) {
        const line = `stopped; "${job.output}" was not written.`;
        if (results.length === 0) throw new UserError("restoration/stopped", line);
        complain(context, `error: ${line}`);
        break;
      }
      const { code, message } = errorLine(error);
      if (!isFolder || STOPS_ALL.test(code)) throw error;
      failed.push({ input: job.input, error: message });
      if (context.quiet) complain(context, `error: ${message}`);
      else progress.note(`left out: ${message}`);
    }
  }
  if (results.length === 0)
    throw new UserError("picture/none", `none of ${formatCount(jobs.length)} pictures: ${failed[0]!.error}`);
  return { results, failed };
}

async function report(
  context: Context,
  { jobs, leftOut, isFolder, toStdout, describe }: PlannedRestoration,
  { results, failed }: Done,
  model: string,
): Promise<void> {
  const { emitBeside, STANDARD } = await import("./standard-streams.ts");
  const files = leftOut.length === 1 ? "file" : "files";
  const others =
    leftOut.length === 0
      ? []
      : [`Left out ${formatCount(leftOut.length)} other ${files}: ${describe(leftOut)}.`];
  const summary = `${formatCount(results.length)} of ${formatCount(jobs.length)} pictures written.`;
  const lines = isFolder
    ? [...results.map(({ line }) => line), ...others, summary]
    : results.flatMap((one) => one.lines);
  emitBeside(context, toStdout ? STANDARD : undefined, {
    lines,
    json: { model, pictures: results.map(({ json }) => json), failed, leftOut },
  });
  if (failed.length > 0) context.exitWith(1);
}

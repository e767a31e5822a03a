/** @module `subband import`: networks trained in PyTorch, as one model of ours. Nothing in their files is run. */
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename, extname, join } from "node:path";
import type { Command } from "commander";
import type { LocalNetworkSummary } from "../systems/parts/local/model.ts";
import type { Context } from "./context.ts";
import { formatBytes, quoted } from "./format.ts";
import { addExamples, parsePath } from "./options.ts";
import { formatTable, note } from "./output.ts";

/** Options of the command. */
interface ImportFlags {
  readonly out?: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("import")
    .description("read bias-free denoisers trained in PyTorch (local-probability-models) into one model")
    .argument(
      "<files...>",
      "checkpoints of torch.save: one denoiser of images, or a low-pass network and the conditional ones, coarsest first",
    )
    .option(
      "--out <dir>",
      "folder of the model, or a file called *.safetensors (default: in models/)",
      parsePath,
    )
    .action(async (files: readonly string[], flags: ImportFlags) => importModel(context, files, flags));
  addExamples(command, [
    "subband import flat-rf43.pt",
    "subband import low.pt rf13-scale1.pt rf13-scale0.pt --out models/celeba",
    "subband info models/celeba",
  ]);
}

async function importModel(context: Context, files: readonly string[], flags: ImportFlags): Promise<void> {
  const { assembleLocal } = await import("../interop/assemble-local.ts");
  const { importBfCnn } = await import("../interop/bf-cnn-checkpoint.ts");
  const { summarise } = await import("../systems/parts/local/model.ts");
  const { putModel, requirePlaceOfModel } = await import("./put-model.ts");
  const { emitBeside } = await import("./standard-streams.ts");
  const { versions } = await import("../training/versions.ts");
  const { modelJson, modelRows } = await import("./model-table.ts");
  const reads = files.map((path) => ({ path, what: "the input" }));
  if (flags.out !== undefined) requirePlaceOfModel(context, flags.out, reads); // before anything is read
  const networks = [];
  for (const name of files) networks.push({ name, network: await importBfCnn(name) });
  const { model, names } = assembleLocal(networks);
  const summary = summarise(model);
  const out = flags.out ?? join("models", defaultName(names, summary));
  const sources = names.map((name) => ({ file: basename(name), sha256: sha256(name) }));
  const metadata = { subband_version: versions().subband, imported_from: JSON.stringify(sources) };
  const { file, bytes } = await putModel(context, out, model, metadata, reads);
  if (model.details.length === 0 && isLowPass(summary[0]!))
    note(
      context,
      `note: "${names[0]}" has the shape of a low-pass network; it was taken as a denoiser of whole images. For a ` +
        `multi-scale model give its conditional networks too.`,
    );
  emitBeside(context, out, {
    lines: [
      ...formatTable([["model", `${file}, ${formatBytes(bytes)}`], ...modelRows(model, names)]),
      "",
      `To see it again: subband info ${quoted(out)}`,
    ],
    json: { file, bytes, ...modelJson(model), importedFrom: sources },
  });
}

/** `flat-rf43` of one file; `local-rf13-j2` of several: receptive field of the finest details and number of levels. */
function defaultName(names: readonly string[], summary: readonly LocalNetworkSummary[]): string {
  const [first] = names;
  if (names.length === 1) return basename(first!, extname(first!));
  return `local-rf${summary.at(-1)!.receptiveField}-j${names.length - 1}`;
}

function isLowPass({ kernels }: LocalNetworkSummary): boolean {
  return kernels.length === 20 && kernels.every((kernel) => kernel === 3);
}

function sha256(path: string): string {
  return createHash("sha256").update(readFileSync(path)).digest("hex");
}

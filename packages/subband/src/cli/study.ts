/** @module `subband study`: comparisons and figures, each one command. */
import { type Command, InvalidArgumentError } from "commander";
import type { Context } from "./context.ts";
import { formatCount } from "./format.ts";
import { addBackendOptions, type BackendFlags, openBackend } from "./open-backend.ts";
import { decimal } from "../systems/options.ts";
import { addExamples, parseCount, parsePath, parsePositive } from "./options.ts";
import { answer, formatTable, note } from "./output.ts";
import type { NamedModel } from "../studies/method.ts";
import type { StudyFiles } from "./plan-study.ts";

/** Options of `study local`. */
interface LocalFlags extends BackendFlags {
  readonly model: readonly string[];
  readonly pictures: string;
  readonly sigmas: readonly number[];
  readonly size: number;
  readonly seed: number;
  readonly peers?: string;
  readonly dump?: string;
  readonly gain: readonly string[];
  readonly reference?: string;
  readonly stripSigma: number;
  readonly out: string;
}

/** Noise levels from hardly visible to more noise than picture, of 255. */
const SIGMAS: readonly number[] = [5, 10, 25, 50, 100, 150, 200, 255];

/** Adds the commands. */
export function register(program: Command, context: Context): void {
  const study = program.command("study").description("compare methods: tables and figures, each one command");
  const local = study
    .command("local")
    .description("denoisers on pictures with seeded noise: PSNR, SSIM and cost as CSV, Markdown, SVG and PNG")
    .option("--model <name=dir>", "a model or a run, under a name; may be repeated", collect, [])
    .requiredOption("--pictures <folder>", "test pictures", parsePath)
    .option("--sigmas <list>", "deviations of the noise, of 255", parseNumbers, SIGMAS)
    .option("--size <pixels>", "pixels a side at most, cropped at the centre", parsePositive, 512)
    .option("--seed <n>", "seed of the noise", parseCount, 0)
    .option("--dump <folder>", "write the noisy pictures, for other programs", parsePath)
    .option("--peers <csv>", "what other programs made of these very noisy pictures", parsePath)
    .option("--gain <a,b>", "tell by how many dB method a is above method b; may be repeated", collect, [])
    .option("--reference <name>", "method that the figure shows differences from (default: the first)")
    .option(
      "--strip-sigma <s>",
      "noise of the strip of pictures: the nearest level studied",
      parsePositive,
      50,
    )
    .option(
      "--out <folder>",
      "where results.csv, tables.md, psnr.svg and strip.png go",
      parsePath,
      "study-local",
    )
    .action(async (flags: LocalFlags) => studyLocal(context, flags));
  registerLowPass(study, context);
  addBackendOptions(local);
  addExamples(local, [
    "subband study local --model ours=runs/unet --model flat=models/flat-rf43 --pictures photos --gain ours,flat",
    "subband study local --pictures photos --dump noisy",
    "/usr/bin/python3 bench/peers/skimage_denoise.py noisy",
    "subband study local --model ours=runs/unet --pictures photos --peers noisy/results.csv",
  ]);
}

/** Options of `study low-pass`. */
interface LowPassFlags extends BackendFlags {
  readonly n: number;
  readonly ascentImages: number;
  readonly seed: number;
}

function registerLowPass(study: Command, context: Context): void {
  const lowPass = study
    .command("low-pass")
    .description("ways to draw a local model's low-pass band: network calls, spectrum and band statistics")
    .argument("<run>", "run of preset local, best with --edm-low")
    .option("-n, --n <count>", "bands drawn by methods of few calls", parsePositive, 256)
    .option(
      "--ascent-images <count>",
      "bands drawn by stochastic ascent, of thousands of calls",
      parsePositive,
      8,
    )
    .option("--seed <n>", "seed of the bands", parseCount, 0)
    .action(async (run: string, flags: LowPassFlags) => studyLowPass(context, run, flags));
  addBackendOptions(lowPass);
  addExamples(lowPass, [
    "subband study low-pass runs/local",
    "subband study low-pass runs/local -n 64 --json",
  ]);
}

async function studyLowPass(context: Context, run: string, flags: LowPassFlags): Promise<void> {
  const { UserError } = await import("onnxgrad");
  const { lowPassBands, lowPassTable, runLowPassStudy } = await import("../studies/low-pass-study.ts");
  const { levelsOf } = await import("../systems/parts/local/model.ts");
  const { openRunData } = await import("../training/run-data.ts");
  const { openModel } = await import("../restoration/model-source.ts");
  const { imageProgress, withProgress } = await import("./progress.ts");
  const { n, ascentImages, seed } = flags;
  const { model, run: known } = await openModel(run);
  if (known === undefined)
    throw new UserError(
      "study/run",
      `"${run}" is a model file, whose data are not known. Give the run it is of.`,
    );
  const { dataset } = await openRunData(run, known.config);
  const study = await withProgress(context, async (progress) =>
    runLowPassStudy(await openBackend(context, flags), {
      ...{ model, seed, count: n },
      prior: known.local.prior && { config: known.local.prior, arrays: known.arrays },
      ...lowPassBands(dataset, model.wavelet, levelsOf(model)),
      ascentCount: ascentImages,
      onProgress: (label, done, total) => imageProgress(progress, label, done, total),
    }),
  );
  answer(context, { lines: lowPassTable(study).split("\n"), json: { run, seed, ...study } });
}

async function studyLocal(context: Context, flags: LocalFlags): Promise<void> {
  const { UserError } = await import("onnxgrad");
  const { reportLocalStudy } = await import("../studies/local-report.ts");
  const { commonChannels, modelMethod, openNamedModel } = await import("../studies/method.ts");
  const { checkedSigmas, readPictures } = await import("../studies/noisy-pictures.ts");
  const { dumpNoisy, readPeers } = await import("../studies/peers.ts");
  const { parseGain } = await import("../studies/study-tables.ts");
  const { imageProgress } = await import("./progress.ts");
  const { planStudy, withBuiltin } = await import("./plan-study.ts");
  const { withOutputs } = await import("./output-folders.ts");
  const { pictures: folder, seed, size, dump, peers, reference, stripSigma, out } = flags;
  if (flags.model.length === 0 && peers === undefined && dump === undefined)
    throw new UserError(
      "study/nothing",
      "nothing to study: give models (--model name=dir), results of other programs (--peers) or both, or --dump.",
    );
  const gains = flags.gain.map(parseGain);
  const sigmas = checkedSigmas(flags.sigmas);
  const models: NamedModel[] = [];
  for (const text of flags.model) models.push(await openNamedModel(withBuiltin(text)));
  const channels = commonChannels(models);
  const outside = peers === undefined ? [] : readPeers(peers);
  const plan = await planStudy(flags, sigmas);
  const exclude = [out, ...(dump === undefined ? [] : [dump])];
  const pictures = await readPictures(folder, { channels, size, exclude });
  tellLeftOut(context, plan, pictures);
  await withOutputs(context, plan.outputs, async (progress, wrote): Promise<void> => {
    const dumped = dump === undefined ? undefined : await dumpNoisy(dump, pictures, sigmas, seed, wrote);
    const backend = await openBackend(context, flags);
    const methods = [...models.map(({ name, model }) => modelMethod(name, model, backend)), ...outside];
    const about: [string, string][] = [
      ["pictures", `${formatCount(pictures.length)} in ${folder}, noise of seed ${seed}`],
      ...(dumped === undefined ? [] : [["noisy pictures", dumped] as [string, string]]),
    ];
    const told = { pictures: pictures.map(({ name }) => name), sigmas, seed, ...(dumped && { dumped }) };
    if (methods.length === 0) {
      answer(context, { lines: formatTable(about), json: told });
      return;
    }
    const total = methods.length * pictures.length * sigmas.length;
    let done = 0;
    const { rows, markdown, files } = await reportLocalStudy({
      ...{ methods, pictures, sigmas, seed, gains, reference, stripSigma, out },
      onResult: ({ method }) => imageProgress(progress, method, ++done, total),
    });
    answer(context, {
      lines: [...markdown.split("\n"), ...formatTable([...about, ["written", files.join(", ")]])],
      json: { ...told, rows, files },
    });
  });
}

/** Names the files that are not studied. */
function tellLeftOut(
  context: Context,
  { names, leftOut }: StudyFiles,
  pictures: readonly { name: string }[],
): void {
  const used = new Set(pictures.map(({ name }) => name));
  const unused = names.filter((name) => !used.has(name)).map((name) => `${name} (broken, or too small)`);
  const all = [...unused, ...leftOut.map(({ name, reason }) => `${name} (${reason})`)];
  if (all.length > 0) note(context, `note: left out ${all.join(", ")}`);
}

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** `5,10,25` as numbers. */
function parseNumbers(text: string): number[] {
  const values = text.split(",").map(decimal);
  if (values.some(Number.isNaN)) throw new InvalidArgumentError("Give numbers with commas: 25,50,100.");
  return values;
}

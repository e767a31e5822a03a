/** @module `subband evaluate`: measures runs and pictures against data, for people, for scripts, and as files to keep. */
import { type Command, Option } from "commander";
import type { Context } from "./context.ts";
import { type DrawingFlags, WEIGHTS_OPTION, withDrawing } from "./drawing-options.ts";
import type { NamedSubject } from "./evaluate-subjects.ts";
import { addBackendOptions, type BackendFlags, openBackend } from "./open-backend.ts";
import { addExamples, parseCount, parsePath, parsePositive } from "./options.ts";
import { answer, tellWarning } from "./output.ts";

export { complete } from "./drawing-options.ts";

/** What is asked for. */
export interface EvaluateFlags extends DrawingFlags, BackendFlags {
  readonly n?: number;
  readonly against: string;
  readonly features?: string;
  readonly layer?: string;
  readonly on: "all" | "training" | "held-out";
  readonly seed: number;
  readonly out?: string;
  readonly strip?: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("evaluate")
    .description(
      "measure runs, or pictures, against data: distances of features, specks, blocks, bands, spectrum, cost",
    )
    .argument(
      "<subjects...>",
      "runs; folders, archives or known data sets of pictures; real for more images of the data",
    )
    .option(
      "-n, --n <count>",
      "images to generate and to compare with (default: as many as there are, 2,000 to 5,000)",
      parsePositive,
    )
    .option(
      "--against <what>",
      "what they are compared with: real for the data of the first run, another run, or pictures",
      parsePath,
      "real",
    )
    .addOption(
      new Option("--on <part>", "which images of the data, a seeded choice of them")
        .choices(["all", "training", "held-out"])
        .default("all"),
    )
    .option(
      "--features <what>",
      "features that distances are computed on: cifar, which is shipped, or an ONNX file that takes images in [-1, 1] (default: cifar)",
      parsePath,
    )
    .option("--layer <name>", "value of the ONNX file to take for features (default: its first output)")
    .option(...WEIGHTS_OPTION)
    .option("--seed <n>", "seed of the images, and of the choice of real ones", parseCount, 0)
    .option(
      "--out <file>",
      "CSV of the band statistics; all figures go beside it as JSON (default: bands.csv and evaluation.json in each run)",
      parsePath,
    )
    .option(
      "--strip <file>",
      "picture of the first images of all, side by side (default: strip.png in the first run, or beside --out)",
      parsePath,
    )
    .action(async (names: readonly string[], flags: Omit<EvaluateFlags, "asked">) => {
      await evaluate(context, names, await withDrawing(command, flags));
    });
  addBackendOptions(command);
  addExamples(command, [
    "subband evaluate runs/cifar",
    "subband evaluate runs/cifar -n 10000 --steps 6 --json",
    "subband evaluate runs/a runs/b real --on held-out",
    "subband evaluate samples --against ~/Pictures --out samples.csv",
  ]);
}

async function evaluate(context: Context, names: readonly string[], flags: EvaluateFlags): Promise<void> {
  const { evaluateSubject, measureReference } = await import("../evaluation/evaluate-subject.ts");
  const { BATCH } = await import("../evaluation/image-stream.ts");
  const { CIFAR_FEATURES, openFeatures } = await import("../evaluation/open-features.ts");
  const { evaluationFiles, planEvaluationFiles } = await import("./evaluate-files.ts");
  const { isEnoughFor, openImages } = await import("./evaluate-images.ts");
  const { evaluationLines } = await import("./evaluate-lines.ts");
  const { evaluationJson, trainedSeconds, writeEvaluation } = await import("./evaluate-report.ts");
  const { commonShape, levelsOf, namedSubject } = await import("./evaluate-subjects.ts");
  const { requireMemory } = await import("./memory-limit.ts");
  const { withOutputs } = await import("./output-folders.ts");
  const { dataListeners, imageProgress } = await import("./progress.ts");
  const { n, seed, on } = flags;
  const subjects: NamedSubject[] = [];
  for (const name of names) subjects.push(await namedSubject(name, flags));
  const against = await namedSubject(flags.against, flags);
  const shape = commonShape(subjects, against);
  const { channels, height, width } = shape ?? { channels: 3, height: 64, width: 64 };
  const files = evaluationFiles(subjects, flags);
  const paths = planEvaluationFiles(files, subjects, against, { channels, height, width });
  const extractor = await openFeatures(flags.features ?? CIFAR_FEATURES, {
    ...(flags.layer !== undefined && { layer: flags.layer }),
  });
  // Numbers of four bytes: features of those generated, and of those they are compared with.
  if (n !== undefined) requireMemory("-n", n, 8 * extractor.dimensions);
  await withOutputs(context, paths, async (progress): Promise<void> => {
    const backend = await openBackend(context, flags);
    for (const each of [...subjects, against])
      if (each.kind === "run") tellWarning((line) => progress.note(line), each.opened);
    const request = { subjects, against, shape, n, seed, on };
    const images = await openImages(request, dataListeners(progress));
    for (const line of images.notes) progress.note(line);
    const open = isEnoughFor(flags.features, images) ? await extractor.open(backend, BATCH) : undefined;
    const hostOf = (name: string) => ({
      ...{ backend, seed, features: open && { extractor, open } },
      onProgress: (part: string, done: number, total: number) =>
        imageProgress(progress, `${part} ${name}`, done, total),
    });
    const reference = await measureReference(images.reference, hostOf(against.name));
    const evaluated = [];
    for (const [i, named] of subjects.entries()) {
      const levels = levelsOf(named, [...subjects, against], reference.set.image);
      const found = await evaluateSubject(images.subjects[i]!, reference, levels, hostOf(named.name));
      evaluated.push({ named, ...found, trainedSeconds: trainedSeconds(named) });
    }
    await open?.dispose();
    const compared = {
      ...{ name: against.name, seed, of: images.of, ...(against.kind === "real" && { on }) },
      features: open === undefined ? undefined : { extractor, image: reference.set.image },
    };
    const written = await writeEvaluation(files, evaluated, compared, reference.set);
    answer(context, {
      lines: evaluationLines(evaluated, images.comparedLine, compared.features, written),
      json: { ...evaluationJson(evaluated, compared), ...Object.fromEntries(written) },
    });
  });
}

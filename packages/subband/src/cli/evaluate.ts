/** @module `subband evaluate`: measures a trained run against its data, for people, for scripts, and as files to keep. */
import { join } from "node:path";
import { type Command, Option } from "commander";
import type { RunImages } from "../training/run-data.ts";
import type { Context } from "./context.ts";
import { type DrawingFlags, WEIGHTS_OPTION, withDrawing } from "./drawing-options.ts";
import { formatCount } from "./format.ts";
import { addBackendOptions, type BackendFlags, openBackend } from "./open-backend.ts";
import { addExamples, parseCount, parsePath, parsePositive } from "./options.ts";
import { answer, formatColumns, formatTable, tellWarning } from "./output.ts";

export { complete } from "./drawing-options.ts";

interface EvaluateFlags extends DrawingFlags, BackendFlags {
  readonly n: number;
  readonly on: "all" | "training" | "held-out";
  readonly seed: number;
  readonly out?: string;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("evaluate")
    .description("measure a run against its data: bands, radial spectrum, spread over the noise input")
    .argument("<run>", "directory made by subband train")
    .option("-n, --n <count>", "images to generate and to compare with", parsePositive, 2000)
    .addOption(
      new Option("--on <part>", "which images to compare with, a seeded choice of them")
        .choices(["all", "training", "held-out"])
        .default("all"),
    )
    .option(...WEIGHTS_OPTION)
    .option("--seed <n>", "seed of the images, and of the choice of real ones", parseCount, 0)
    .option("--out <file>", "CSV of the band statistics (default: bands.csv in the run)", parsePath)
    .action(async (run: string, flags: Omit<EvaluateFlags, "asked">) => {
      await evaluate(context, run, await withDrawing(command, flags));
    });
  addBackendOptions(command);
  addExamples(command, [
    "subband evaluate runs/cifar",
    "subband evaluate runs/cifar -n 10000 --steps 6 --json",
    "subband evaluate runs/cifar --on held-out",
  ]);
}

async function evaluate(context: Context, run: string, flags: EvaluateFlags): Promise<void> {
  const { evaluateRun } = await import("../evaluation/evaluate-run.ts");
  const { requirePyramid } = await import("../evaluation/require-pyramid.ts");
  const { writeFileAtomic } = await import("../training/atomic-file.ts");
  const { openRun } = await import("../training/open-drawable.ts");
  const { imagesOf, openRunData } = await import("../training/run-data.ts");
  const { requireMemory } = await import("./memory-limit.ts");
  const { withOutputs } = await import("./output-folders.ts");
  const { requirePlaceFor } = await import("./run-output.ts");
  const { dataListeners, imageProgress } = await import("./progress.ts");
  const { drawingOf, weightsRows } = await import("./open-drawing.ts");
  const opened = openRun(run, flags.weights);
  const { arrays, weights, best } = opened;
  const { config, system } = opened.run;
  const { image, draw } = system;
  const { n, seed, out = join(run, "bands.csv") } = flags;
  const pyramid = requirePyramid(config.preset, system);
  const { chosen, described } = drawingOf(opened, flags.asked);
  requirePlaceFor("statistics", run, out);
  // Numbers of four bytes: of those generated, and of those they are compared with.
  requireMemory("-n", n, 8 * image.channels * image.height * image.width);
  await withOutputs(context, [out], async (progress): Promise<void> => {
    const backend = await openBackend(context, flags);
    tellWarning((line) => progress.note(line), opened);
    const found = await openRunData(run, config, dataListeners(progress));
    const source = imagesOf(run, found, flags.on);
    const { images: _, ...figures } = await evaluateRun({ image, draw, pyramid }, arrays, source, backend, {
      count: n,
      seed,
      chosen,
      onProgress: (done) => imageProgress(progress, "sample", done, n),
    });
    const rows = figures.bands.map(({ level, band, generated, real, stdRatio }) =>
      [level, band, generated.std, real.std, stdRatio, generated.kurtosis, real.kurtosis].map((v) =>
        typeof v === "number" && !Number.isInteger(v) ? v.toFixed(4) : String(v),
      ),
    );
    const header = [
      "level",
      "band",
      "std generated",
      "std real",
      "ratio",
      "kurtosis generated",
      "kurtosis real",
    ];
    writeFileAtomic(out, [header, ...rows].map((row) => `${row.join(",")}\n`).join(""));
    const spread = figures.spread?.map((value, i) => `level ${i + 1}: ${value.toFixed(3)}`).join(", ");
    answer(context, {
      lines: [
        ...formatTable([
          ["images", `${n}, seed ${seed}, ${figures.nfeLow} + ${figures.nfeDetail} calls`],
          ["compared with", comparedLine(figures.count, flags.on, found)],
          ...described,
          ...weightsRows(opened),
          [
            "radial error",
            `${figures.radialSpectrumError.toFixed(4)} (real images among themselves: ${figures.radialSpectrumFloor?.toFixed(4) ?? "not measured, there is one"})`,
          ],
          ["spread", spread ?? "not measured for this preset"],
          ["bands", out],
        ]),
        "",
        ...formatColumns([header, ...rows]),
      ],
      json: { run, seed, ...chosen, weights, best, on: flags.on, of: source.count, ...figures, out },
    });
  });
}

/** `60 of 4,096 images, of which 81 are held out`: how many were compared, and of which. */
function comparedLine(
  compared: number,
  on: EvaluateFlags["on"],
  { dataset, training, heldOutCount }: RunImages,
): string {
  const kept = `${formatCount(heldOutCount)} held-out images`;
  switch (on) {
    case "training":
      return `${formatCount(compared)} of ${formatCount(training.count)} training images`;
    case "held-out":
      return `${formatCount(compared)} of ${kept}`;
    case "all":
      return `${formatCount(compared)} of ${formatCount(dataset.count)} images, ${kept} among them`;
  }
}

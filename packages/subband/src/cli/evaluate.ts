/** @module `subband evaluate`: measures a trained run against its data, for people, for scripts, and as files to keep. */
import { dirname, join } from "node:path";
import type { Command } from "commander";
import type { Context } from "./context.ts";
import { bestLine } from "./format.ts";
import { addExamples, parseCount, parsePositive, parseSteps, parseThreads } from "./options.ts";
import { answer, formatTable } from "./output.ts";

interface EvaluateFlags {
  readonly n: number;
  readonly steps?: number;
  readonly sampler?: string;
  readonly weights?: string;
  readonly seed: number;
  readonly out?: string;
  readonly threads?: number;
}

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("evaluate")
    .description("measure a run against its data: bands, radial spectrum, spread over the noise input")
    .argument("<run>", "directory made by subband train")
    .option("-n, --n <count>", "images to generate and to compare with", parsePositive, 2000)
    .option("--steps <k>", "steps of the sampler on the low band (default: the preset's)", parseSteps)
    .option("--sampler <name>", "sampler of the low band (default: the preset's)")
    .option("--weights <name>", "last, or best: of the moment with the best score (default: last)")
    .option("--seed <n>", "seed of the images", parseCount, 0)
    .option("--out <file>", "CSV of the band statistics (default: bands.csv in the run)")
    .option("--threads <n>", "threads inside one operation (default: all cores)", parseThreads)
    .action((run: string, flags: EvaluateFlags) => evaluate(context, run, flags));
  addExamples(command, [
    "subband evaluate runs/cifar",
    "subband evaluate runs/cifar -n 10000 --steps 6 --json",
  ]);
}

async function evaluate(context: Context, run: string, flags: EvaluateFlags): Promise<void> {
  const { node } = await import("onnxgrad/node");
  const { openDataset } = await import("../data/open-dataset.ts");
  const { evaluateRun } = await import("../evaluation/evaluate-run.ts");
  const { writeFileAtomic } = await import("../training/atomic-file.ts");
  const { loadRun } = await import("../training/load-run.ts");
  const { samplingOf, systemOf } = await import("../training/run-config.ts");
  const { makeFolder } = await import("../training/run-directory.ts");
  const { createProgress } = await import("./progress.ts");
  const { weightsNamed } = await import("../training/weights.ts");
  const { config, tensors, weights, best, warning } = loadRun(run, weightsNamed(flags.weights ?? "last"));
  const usual = samplingOf(config);
  const {
    n,
    seed,
    sampler = usual.sampler,
    steps = usual.steps,
    out = join(run, "bands.csv"),
    threads,
  } = flags;
  const progress = createProgress(context);
  try {
    if (warning !== undefined) progress.note(`warning: ${warning}`);
    const system = systemOf(config);
    const dataset = await openDataset(config.data.source, {
      size: system.image,
      channels: system.image.channels,
      limit: config.data.limit,
    });
    const { images: _, ...figures } = await evaluateRun(
      system,
      tensors,
      dataset,
      config.preset === "wmgm" ? config.model.scaling : undefined,
      node(threads === undefined ? {} : { threads }),
      {
        count: n,
        seed,
        sampler,
        steps,
        onProgress: (done) => progress.update({ label: "sample", done, total: n, unit: "images" }),
      },
    );
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
    makeFolder(dirname(out));
    writeFileAtomic(out, [header, ...rows].map((row) => `${row.join(",")}\n`).join(""));
    const spread = figures.spread?.map((value, i) => `level ${i + 1}: ${value.toFixed(3)}`).join(", ");
    answer(context, {
      lines: [
        ...formatTable([
          [
            "images",
            `${n}, seed ${seed}, ${sampler} ${steps} steps, ${figures.nfeLow} + ${figures.nfeDetail} calls`,
          ],
          ...(weights === "last" ? [] : [["best weights", bestLine(best)] as const]),
          [
            "radial error",
            `${figures.radialSpectrumError.toFixed(4)} (two halves of the data: ${figures.radialSpectrumFloor.toFixed(4)})`,
          ],
          ["spread", spread ?? "not measured for this preset"],
          ["bands", out],
        ]),
        ...[header, ...rows].map((row) => row.map((cell) => cell.padStart(18)).join("")),
      ],
      json: { run, seed, sampler, steps, weights, best, ...figures, out },
    });
  } finally {
    progress.finish();
  }
}

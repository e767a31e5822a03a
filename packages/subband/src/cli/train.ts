/** @module `subband train`: trains a system into a run directory; the same command again resumes it. */
import type { Command } from "commander";
import type { Pace } from "../loop/pace.ts";
import type { RunConfig } from "../training/run-config.ts";
import type { RunStart } from "../training/train-run.ts";
import type { TrainEvent } from "../loop/host.ts";
import type { BestMoment } from "../loop/progress.ts";
import type { Context } from "./context.ts";
import {
  bestLine,
  formatBytes,
  formatCount,
  formatDuration,
  formatPercent,
  quoted,
  stagesLine,
} from "./format.ts";
import { Interruption } from "./interruption.ts";
import { addBackendOptions, openBackend, typedBackend } from "./open-backend.ts";
import { addExamples, parseSize } from "./options.ts";
import { emit, formatTable } from "./output.ts";
import type { ProgressUpdate } from "./progress.ts";
import type { TrainCommand, TrainFlags } from "./train-options.ts";

/** Adds the command. */
export function register(program: Command, context: Context): void {
  const command = program
    .command("train")
    .description(
      "train a generative model or a denoiser; the same command again resumes, a larger budget extends",
    )
    .requiredOption("--out <run>", "run directory: new or empty, or a run to go on with")
    .option(
      "--data <source>",
      "folder of images, .zip or .tar of them, cifar10 or faces (a run knows its own)",
    )
    .option(
      "--size <pixels>",
      "size to bring images to: 64, or WIDTHxHEIGHT (default: 64; cifar10: 32)",
      parseSize,
    )
    .option("--patches <n>", "cut up to n patches of that size from each picture, instead")
    .option("--channels <n>", "3 for colour, 1 for grey (default: 3)")
    .option("--minutes <m>", "budget: wall-clock minutes, set-up included (default: 15)")
    .option(
      "--images <n>",
      "budget: images that every stage sees, instead of minutes; or a run, to follow its pace exactly",
    )
    .option("--seed <n>", "seed of every random number (default: 0)")
    .option(
      "--limit <n>",
      "use the first n images only; for faces how many are drawn (default: all; faces: 4096)",
    )
    .option("--no-flip", "do not mirror images at random")
    .option("--save-seconds <s>", "seconds between checkpoints (default: 60)")
    .option(
      "--dry-run",
      "print cost, memory and an outline of the configuration, and write nothing to the run",
    )
    .option("--verbose", "with --dry-run: print the whole configuration")
    .action(async (flags: TrainFlags) => {
      const { parseTrainFlags } = await import("./train-options.ts");
      const { requireTrainingFiles } = await import("./plan-training.ts");
      const parsed = parseTrainFlags(flags, (message) => command.error(message));
      requireTrainingFiles(parsed.request);
      if (parsed.dryRun)
        return (await import("./dry-run.ts")).dryRun(context, parsed.request, flags["verbose"] === true);
      const outcome = await trainWithProgress(context, parsed);
      const resume = trainCommand(parsed);
      emit(context, { lines: outcomeLines(outcome, resume), json: { ...outcome, resume } });
    });
  addBackendOptions(command);
  addExamples(command, [
    "subband train --data faces --out runs/faces --minutes 4",
    "subband train --data ~/Pictures --size 64x48 --out runs/mine",
    "subband train --data cifar10 --out runs/cifar --dry-run",
    "subband train --out runs/faces --minutes 8",
    "subband train --preset local-unet --data ~/Pictures --channels 1 --out runs/denoiser",
    "subband train --from builtin --data ~/Pictures --patches 200 --size 96 --lr 2e-4 --out runs/mine",
  ]);
}

/** Adds the options of presets. */
export async function complete(command: Command): Promise<void> {
  const { addTrainingOptions } = await import("./preset-options.ts");
  addTrainingOptions(command);
}

/** What a training did. */
export interface TrainOutcome {
  readonly run: string;
  readonly finished: boolean;
  /** Whether it is a denoiser. */
  readonly denoises: boolean;
  /** Whether the run was complete before. */
  readonly nothingToDo: boolean;
  readonly resumed: boolean;
  /** Files of the data that were left out, by reason, and the first of each by name. */
  readonly skipped: Readonly<Record<string, number>>;
  readonly skippedFiles: Readonly<Record<string, readonly string[]>>;
  /** Images seen by each stage, and to be seen. */
  readonly imagesSeen: Readonly<Record<string, number>>;
  readonly images: Readonly<Record<string, number>>;
  /** The budget of time, where there is one. */
  readonly minutes: number | undefined;
  readonly seconds: number;
  /** Shares of the time in steps that went into reading data, and into drawing noise; 0..1. */
  readonly dataShare: number;
  readonly noiseShare: number;
  /** Time spent on scores, as a share of the time in steps. */
  readonly scoringShare: number;
  /** Where the best weights of each stage stand, as far as there are any. */
  readonly best: Readonly<Record<string, BestMoment>>;
  readonly peakBytes: number;
  /** Folder of the preview grids. */
  readonly samples: string;
}

/** Trains with progress on stderr, until done or interrupted. */
export async function trainWithProgress(
  context: Context,
  { request, settings, backend }: Pick<TrainCommand, "request" | "settings" | "backend">,
): Promise<TrainOutcome> {
  const { pacesOf } = await import("../loop/budget.ts");
  const { runPaths } = await import("../training/run-directory.ts");
  const { trainRun } = await import("../training/train-run.ts");
  const { systemOf } = await import("../training/run-config.ts");
  const { createProgress, dataListeners } = await import("./progress.ts");
  const progress = createProgress(context);
  const began = performance.now();
  const stopping = (): void =>
    progress.note(
      start === undefined
        ? "stopping: there is nothing to save yet; Ctrl-C again stops at once"
        : "stopping: this step is finished and saved first; Ctrl-C again stops at once",
    );
  context.signal.addEventListener("abort", stopping);
  let start: RunStart | undefined;
  let steps = 0;
  const stopReading = (): void => {
    if (start === undefined && context.signal.reason instanceof Interruption) throw context.signal.reason;
  };
  try {
    const show = stepProgress(() => pacesOf(start!.config));
    const { onProgress: showData, onWarning } = dataListeners(progress);
    const summary = await trainRun(
      request,
      await openBackend(context, backend),
      {
        onData(done) {
          stopReading();
          showData(done);
        },
        onWarning,
        onStart(started) {
          start = started;
          progress.note(startLine(request.out, started));
        },
        onEvent(event) {
          if (event.kind === "rollback") progress.note(rollbackLine(event));
          else if (event.kind === "step") steps++;
          const update = show(event);
          if (update !== undefined) progress.update(update);
        },
      },
      context.signal,
      settings,
    );
    return {
      run: request.out,
      finished: summary.finished,
      denoises: systemOf(summary.config).local !== undefined,
      nothingToDo: summary.finished && steps === 0,
      resumed: start!.resumed,
      skipped: start!.leftovers.skipped,
      skippedFiles: start!.leftovers.skippedNames,
      imagesSeen: Object.fromEntries(
        Object.entries(summary.progress).map(([stage, { imagesSeen }]) => [stage, imagesSeen]),
      ),
      images: summary.config.images,
      minutes: summary.config.minutes,
      seconds: (performance.now() - began) / 1000,
      dataShare: summary.dataShare,
      noiseShare: summary.noiseShare,
      scoringShare: summary.scoringShare,
      best: Object.fromEntries(
        Object.entries(summary.progress).flatMap(([stage, { best }]) =>
          best ? [[stage, best] as const] : [],
        ),
      ),
      peakBytes: 1024 * process.resourceUsage().maxRSS,
      samples: runPaths(request.out).samples,
    };
  } catch (error) {
    stopReading(); // whatever the interrupted reading calls it
    throw error;
  } finally {
    context.signal.removeEventListener("abort", stopping);
    progress.finish();
  }
}

/** Weight of the newest loss in the smoothed one. */
const SMOOTHING = 0.05;

/** Turns events into what the progress bar shows: images of all stages, and each stage's loss, smoothed. */
function stepProgress(
  pacesAtStart: () => Readonly<Record<string, Pace>>,
): (event: TrainEvent) => ProgressUpdate | undefined {
  const sum = (values: Readonly<Record<string, number>>): number =>
    Object.values(values).reduce((a, b) => a + b, 0);
  const losses: Record<string, number> = {};
  let seen: Record<string, number> = {};
  let paces: Readonly<Record<string, Pace>> | undefined;
  return (event) => {
    if (event.kind === "paced") ({ paces } = event);
    if (event.kind === "resumed" || event.kind === "rollback") seen = { ...event.progress };
    if (event.kind !== "step") return undefined;
    seen[event.stage] = event.imagesSeen;
    // The first number that a stage reports is what it is trained on.
    const [[name, value] = ["loss", Number.NaN]] = Object.entries(event.metrics);
    const key = `${event.stage} ${name}`;
    losses[key] = (1 - SMOOTHING) * (losses[key] ?? value) + SMOOTHING * value;
    return {
      label: "train",
      done: sum(seen),
      total: totalOf((paces ??= pacesAtStart())),
      unit: "images",
      fraction: event.done,
      values: losses,
    };
  };
}

/** What a run is trained for: time, images, or both where the clock has planned some. */
export function budgetLine({ images, minutes, pace }: RunConfig): string {
  const planned = stagesLine(images);
  if (minutes === undefined || pace === undefined) return `${planned} to see`;
  return `${minutes} min${planned === "" ? "" : `, ${planned} to see as planned`}`;
}

/** Images of all stages, once all of them are planned. */
function totalOf(paces: Readonly<Record<string, Pace>>): number | undefined {
  const totals = Object.values(paces).map((pace) => pace.at(-1)?.[1]);
  return totals.reduce((a, b) => (a === undefined || b === undefined ? undefined : a + b), 0);
}

function startLine(out: string, { resumed, config }: RunStart): string {
  const { name, count } = config.data;
  return `${resumed ? "resuming" : "training"} ${out}: ${config.preset} on ${formatCount(count)} images of ${name}, ${budgetLine(config)}`;
}

function rollbackLine({
  followed,
  stage,
  step,
  lrScale,
  left,
}: Extract<TrainEvent, { readonly kind: "rollback" }>): string {
  if (followed)
    return `here the run that is followed rolled back: learning rates x ${lrScale} from now on, as there`;
  const after = left === 0 ? "the next time it gives up" : `${left} more before it gives up`;
  return `warning: numbers stopped being finite in stage ${stage} at step ${formatCount(step)}: back to the last good state, learning rates x ${lrScale} (${after})`;
}

/** The outcome for people, with what to type next. */
export function outcomeLines(outcome: TrainOutcome, resume: string): string[] {
  const { run, finished, nothingToDo, imagesSeen, seconds, best, peakBytes, samples } = outcome;
  const { dataShare, noiseShare } = outcome;
  const next = outcome.denoises
    ? `Denoise with: subband denoise PICTURE --model ${quoted(run)}`
    : `Sample with:  subband sample ${quoted(run)}`;
  if (nothingToDo)
    return [
      `${run} is complete: ${stagesLine(imagesSeen)}.`,
      next,
      `Extend with:  subband train --out ${quoted(run)} ${extension(outcome)}`,
    ];
  return [
    ...formatTable([
      [finished ? "trained" : "stopped", stagesLine(imagesSeen)],
      ["time", formatDuration(seconds)],
      [
        "of the steps",
        `${formatPercent(dataShare)} reading data, ${formatPercent(noiseShare)} drawing noise`,
      ],
      ...(Object.keys(best).length === 0 ? [] : [["best weights", bestLine(best)] as const]),
      ["peak memory", formatBytes(peakBytes)],
      ["samples", samples],
    ]),
    finished ? next : `Saved. Resume with:  ${resume}`,
  ];
}

/** A larger budget than that of the run, as options. */
function extension({ images, minutes }: TrainOutcome): string {
  if (minutes !== undefined) return `--minutes ${2 * minutes}`;
  return `--images ${2 * Math.max(...Object.values(images))}`;
}

/** The command that goes on with the training. */
function trainCommand({ request, backend }: TrainCommand): string {
  const run = ["subband train", ...(request.data === undefined ? [] : ["--data", quoted(request.data)])];
  return [...run, "--out", quoted(request.out), ...typedBackend(backend)].join(" ");
}

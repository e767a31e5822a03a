/**
 * @module The training loop: all stages of a system side by side, with checkpoints, exact resume, and a guard against
 * numbers that are not finite. It reports through events and never writes to a terminal.
 */
import { type NamedArray, UserError } from "onnxgrad";
import type { Stage } from "../systems/stage.ts";
import { loadCheckpoint, saveCheckpoint } from "./checkpoint.ts";
import { evenPace, type Pace, paceUntil, plannedImages, progressAt } from "./pace.ts";
import { type Judgement, type RunnerOptions, type StageProgress, StageRunner } from "./stage-runner.ts";
import { createTimekeeper, type Position, type SecondsUsed, type TimeBudget } from "./time-budget.ts";

/** What happens during training, in the order in which it happens. */
export type TrainEvent =
  | { readonly kind: "resumed"; readonly progress: Readonly<Record<string, number>> }
  | { readonly kind: "warning"; readonly message: string }
  | ({ readonly kind: "step"; readonly stage: string } & StageProgress & StepReport)
  | ({
      readonly kind: "score";
      readonly stage: string;
      readonly step: number;
      readonly imagesSeen: number;
    } & Judgement)
  /** What the paces of all stages are from now on; to be kept before anything is done that depends on them. */
  | { readonly kind: "paced"; readonly paces: Readonly<Record<string, Pace>> }
  /** `used`: seconds of work so far, where there is a budget of time. */
  | { readonly kind: "saved"; readonly imagesSeen: number; readonly used: SecondsUsed | undefined }
  | {
      readonly kind: "rollback";
      readonly stage: string;
      readonly step: number;
      /** Factor on the learning rates from now on. */
      readonly lrScale: number;
      /** Further roll-backs before giving up. */
      readonly left: number;
      /** Images seen by each stage, after going back. */
      readonly progress: Readonly<Record<string, number>>;
    };

/** The numbers of one step. */
export interface StepReport {
  readonly metrics: Readonly<Record<string, number>>;
  /** Milliseconds spent on reading the batch, on drawing noise, and on the whole step. */
  readonly dataMs: number;
  readonly noiseMs: number;
  readonly stepMs: number;
  /** Progress of all stages, weighted by their shares. */
  readonly done: number;
}

/** Everything that {@link train} needs. */
export interface TrainOptions extends RunnerOptions {
  /** Run directory; checkpoints go here. */
  readonly dir: string;
  readonly stages: readonly Stage[];
  /** Images that each stage is to see; of no meaning with `time`. */
  readonly images: Readonly<Record<string, number>>;
  /** How stages get there. Default: evenly. One that ends elsewhere than `images` says is extended. */
  readonly paces?: Readonly<Record<string, Pace>>;
  /** A budget of time in place of images: the clock then adds to `paces`, which begin empty. */
  readonly time?: TimeBudget;
  readonly onEvent?: (event: TrainEvent) => void | Promise<void>;
  /** Aborting finishes the step, saves and returns. */
  readonly signal?: AbortSignal;
  /** Seconds between checkpoints; default 60. */
  readonly saveSeconds?: number;
  /** Fractions of the training after which `onPreview` is called with the present arrays. */
  readonly previews?: readonly number[];
  readonly onPreview?: (tensors: ReadonlyMap<string, NamedArray>, done: number) => Promise<void>;
}

/** How a training ended. */
export interface TrainSummary {
  readonly finished: boolean;
  readonly progress: Readonly<Record<string, StageProgress>>;
  /** Shares of the time in steps that went into reading data, and into drawing noise; 0..1. */
  readonly dataShare: number;
  readonly noiseShare: number;
  /** Time spent on scores, as a share of the time in steps. */
  readonly scoreShare: number;
}

/** Roll-backs before giving up. */
const MAX_ROLLBACKS = 3;

/** Counters in a checkpoint's metadata. */
interface Counters {
  readonly stages: Readonly<Record<string, StageProgress>>;
  readonly lrScale: number;
  readonly rollbacks: number;
}

/**
 * Trains until every stage has seen its images, the time is over, or `signal` aborts. Resumes from the checkpoint in `dir` if there is one:
 * the result is bit for bit that of a run that was never interrupted.
 * @throws UserError `train/diverged` after three roll-backs; what was saved last stays good.
 */
export async function train(options: TrainOptions): Promise<TrainSummary> {
  const { dir, stages, images, time, signal, saveSeconds = 60, previews = [] } = options;
  const now = time?.now ?? (() => performance.now());
  const report = async (event: TrainEvent) => options.onEvent?.(event);
  const runners = stages.map((stage) => new StageRunner(stage, { ...options, now }));
  const kept = { scores: options.heldOut !== undefined, previews: previews.length > 0 };
  const keeper = time && createTimekeeper(stages, time, kept);
  let paces: Readonly<Record<string, Pace>> = Object.fromEntries(
    stages.map(({ name }) => [name, options.paces?.[name] ?? (time ? [] : evenPace(images[name]!))]),
  );
  let lrScale = 1;
  let rollbacks = 0;
  let savedAt: number | undefined;

  const restore = (): number | undefined => {
    const saved = loadCheckpoint(dir);
    if (saved === undefined) return undefined;
    const counters = parseCounters(saved.metadata["progress"]);
    for (const runner of runners) {
      const progress = counters.stages[runner.stage.name];
      if (progress === undefined)
        throw new UserError(
          "train/mismatch",
          `run "${dir}": its checkpoint has no stage "${runner.stage.name}". It was made by another preset or version; choose another --out.`,
        );
      runner.restore(saved.tensors, progress);
    }
    ({ lrScale, rollbacks } = counters);
    if (saved.warning !== undefined) void report({ kind: "warning", message: saved.warning });
    return seen();
  };
  const seen = () => runners.reduce((total, { progress }) => total + progress.imagesSeen, 0);
  const tensors = () => new Map(runners.flatMap((runner) => runner.tensors()));
  const save = async () => {
    const began = now();
    const counters: Counters = {
      stages: Object.fromEntries(runners.map((runner) => [runner.stage.name, runner.progress])),
      lrScale,
      rollbacks,
    };
    saveCheckpoint(dir, { tensors: tensors(), metadata: { progress: JSON.stringify(counters) } });
    savedAt = seen();
    await report({ kind: "saved", imagesSeen: seen(), used: keeper?.used() });
    keeper?.did("save", now() - began);
  };
  const fraction = ({ stage, progress }: StageRunner) => progressAt(paces[stage.name]!, progress.imagesSeen);
  const done = () => runners.reduce((total, runner) => total + runner.stage.share * fraction(runner), 0);
  const reached = (at: number) => done() >= at - 1e-9; // shares need not sum to 1 exactly
  const stopped = () => signal?.aborted === true;
  const imagesSeen = () =>
    Object.fromEntries(runners.map(({ stage, progress }) => [stage.name, progress.imagesSeen]));
  const position = (): Position => ({ seen: imagesSeen(), paces });
  const noteCompiling = (runner: StageRunner, ms: number) => {
    if (ms > 0) keeper?.compiled(runner.stage.name, ms, runner.awaitsJudge);
  };
  /** Sets the paces; nothing that depends on them is done before they have been told. */
  const setPaces = async (next: typeof paces) => {
    if (JSON.stringify(next) === JSON.stringify(paces)) return;
    paces = next;
    await report({ kind: "paced", paces });
  };
  /** Takes back what the clock decided after the images that the stages have seen: it will decide again. */
  const forgetLaterPlans = async () => {
    if (keeper === undefined) return;
    keeper.wentBack();
    const until = runners.map(({ stage, progress }) => [
      stage.name,
      paceUntil(paces[stage.name]!, progress.imagesSeen),
    ]);
    await setPaces(Object.fromEntries(until) as typeof paces);
  };
  /** The paces of a run with a larger budget than before: progress falls back, as if it had been that from the beginning. */
  const extended = (): typeof paces => {
    const at = position();
    const begunAgain = runners.map(({ stage: { name }, progress: { imagesSeen: n } }) => {
      const until = paceUntil(paces[name]!, n);
      if (keeper !== undefined)
        return [name, n > 0 ? [...until, keeper.extend(name, at)] : paces[name]!] as const;
      const total = images[name]!;
      const same = plannedImages(paces[name]!) === total;
      return [name, same ? paces[name]! : [...until, [n, total, Math.min(1, n / total)] as const]] as const;
    });
    return Object.fromEntries(begunAgain);
  };

  savedAt = restore();
  if (savedAt !== undefined) await report({ kind: "resumed", progress: imagesSeen() });
  await forgetLaterPlans();
  if (time === undefined || time.extended) await setPaces(extended());

  let lastSave = now();
  let dataMs = 0;
  let noiseMs = 0;
  let totalMs = 0;
  let scoreMs = 0;
  let previewsReached = previews.filter(reached).length;
  for (
    let runner = next(runners, fraction);
    runner !== undefined && !stopped();
    runner = next(runners, fraction)
  ) {
    const { stage } = runner;
    const outcome = await runner.step(paces[stage.name]!, lrScale);
    keeper?.stepped(stage.name, outcome.stepMs);
    noteCompiling(runner, outcome.compileMs);
    const knot = keeper?.plan(stage.name, position());
    if (knot !== undefined) await setPaces({ ...paces, [stage.name]: [...paces[stage.name]!, knot] });
    const last = runners.every((each) => fraction(each) >= 1) || stopped();
    const due = last || now() - lastSave > 1000 * saveSeconds;
    // A step's losses tell of the parameters before it: what is to be saved is looked at itself.
    if (!Object.values(outcome.metrics).every(Number.isFinite) || (due && !allFinite(tensors()))) {
      const step = runner.progress.step;
      if (++rollbacks > MAX_ROLLBACKS)
        throw new UserError(
          "train/diverged",
          `training diverged in stage "${stage.name}" at step ${step}, the ${rollbacks}th time. The last good state is kept in ${dir}; start another run with a lower --lr.`,
        );
      const [keptRollbacks, keptScale] = [rollbacks, lrScale / 2];
      if (restore() === undefined) for (const each of runners) each.reset();
      [rollbacks, lrScale] = [keptRollbacks, keptScale];
      const left = MAX_ROLLBACKS - rollbacks;
      await report({ kind: "rollback", stage: stage.name, step, lrScale, left, progress: imagesSeen() });
      await forgetLaterPlans();
      // At once, so that a run that is resumed knows of it.
      await save();
      lastSave = now();
      continue;
    }
    dataMs += outcome.dataMs;
    noiseMs += outcome.noiseMs;
    totalMs += outcome.stepMs;
    const { step, imagesSeen: seenHere } = runner.progress;
    await report({
      kind: "step",
      stage: stage.name,
      step,
      imagesSeen: seenHere,
      ...outcome,
      done: done(),
    });
    if (runner.scoreIsDue(paces[stage.name]!)) {
      const judgement = await runner.judge();
      scoreMs += judgement.scoreMs;
      keeper?.scored(stage.name, judgement.scoreMs);
      noteCompiling(runner, judgement.compileMs);
      await report({ kind: "score", stage: stage.name, step, imagesSeen: seenHere, ...judgement });
    }
    const reachedNow = previews.filter(reached).length;
    if (reachedNow > previewsReached) {
      previewsReached = reachedNow;
      const began = now();
      if (last || keeper?.affordsPreview() !== false) {
        await options.onPreview?.(tensors(), done());
        keeper?.did("preview", now() - began);
      }
    }
    if (due) {
      await save();
      lastSave = now();
    }
  }
  // Stopped before the first step, or while the last event was handled.
  if (savedAt !== seen() && allFinite(tensors())) await save();
  await Promise.all(runners.map((runner) => runner.dispose()));
  return {
    finished: runners.every((runner) => fraction(runner) >= 1),
    progress: Object.fromEntries(runners.map((runner) => [runner.stage.name, runner.progress])),
    dataShare: totalMs === 0 ? 0 : dataMs / totalMs,
    noiseShare: totalMs === 0 ? 0 : noiseMs / totalMs,
    scoreShare: totalMs === 0 ? 0 : scoreMs / totalMs,
  };
}

/** The unfinished stage that is least far; the first of equals. A pure function of progress, as resuming needs. */
function next(
  runners: readonly StageRunner[],
  fraction: (runner: StageRunner) => number,
): StageRunner | undefined {
  let least: StageRunner | undefined;
  for (const runner of runners)
    if (fraction(runner) < 1 && (least === undefined || fraction(runner) < fraction(least))) least = runner;
  return least;
}

function allFinite(tensors: ReadonlyMap<string, NamedArray>): boolean {
  for (const { data } of tensors.values()) if (!data.every(Number.isFinite)) return false;
  return true;
}

/** @throws UserError `train/mismatch` when a checkpoint's counters are not ours. */
function parseCounters(text: string | undefined): Counters {
  try {
    const value = JSON.parse(text ?? "") as Counters;
    const whole = (n: unknown) => Number.isSafeInteger(n) && (n as number) >= 0;
    const good =
      Object.values(value.stages).every(
        ({ step, imagesSeen, best }) =>
          whole(step) &&
          whole(imagesSeen) &&
          (best === undefined || (whole(best.imagesSeen) && Number.isFinite(best.score))),
      ) &&
      value.lrScale > 0 &&
      whole(value.rollbacks);
    if (good) return value;
  } catch {
    // Falls through to the error below.
  }
  throw new UserError(
    "train/mismatch",
    "checkpoint: its progress record is missing or damaged. It was made by another version; choose another --out.",
  );
}

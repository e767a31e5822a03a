/**
 * @module The training loop: all stages of a system side by side, with checkpoints, exact resume, and a guard against
 * numbers that are not finite. Files, clocks and terminals are the host's affair.
 */
import { inSlices, type NamedArray, slices, UserError } from "onnxgrad";
import type { Stage } from "../systems/stage.ts";
import type { LoopHost, TrainEvent } from "./host.ts";
import { evenPace, type Pace, paceUntil, plannedImages, progressAt } from "./pace.ts";
import { type Progress, parseProgress, type StageProgress } from "./progress.ts";
import { lrScaleAt, type Rollback, rollbacksBy, withRollback } from "./rollbacks.ts";
import { type RunnerOptions, StageRunner } from "./stage-runner.ts";
import { createTimekeeper, type Position, type TimeBudget } from "./time-budget.ts";

/** Everything that {@link train} needs. */
export interface TrainOptions extends RunnerOptions {
  readonly stages: readonly Stage[];
  /** Arrays, named as in a checkpoint, that stages begin with in the place of what they draw, and may begin from. */
  readonly given?: ReadonlyMap<string, NamedArray>;
  /** Images that each stage is to see; of no meaning with `time`. */
  readonly images: Readonly<Record<string, number>>;
  /** How stages get there. Default: evenly. One that ends elsewhere than `images` says is extended. */
  readonly paces?: Readonly<Record<string, Pace>>;
  /** Where it has gone back before, or where the training did that it follows; without those to come in that one. */
  readonly rollbacks?: readonly Rollback[];
  /** A budget of time in place of images: the clock then adds to `paces`, which begin empty. */
  readonly time?: TimeBudget;
  /** Seconds between saves; default 60. */
  readonly saveSeconds?: number;
}

/** How a training ended. */
export interface TrainSummary {
  readonly finished: boolean;
  readonly progress: Readonly<Record<string, StageProgress>>;
  /** Shares of the time in steps that went into reading data, and into drawing noise; 0..1. */
  readonly dataShare: number;
  readonly noiseShare: number;
  /** Time spent on scores, as a share of the time in steps. */
  readonly scoringShare: number;
}

/** Roll-backs before giving up. */
const MAX_ROLLBACKS = 3;

/**
 * Trains until every stage has seen its images, the time is over, or `signal` aborts. Resumes from what the host has kept, if
 * there is anything: the result is bit for bit that of a run that was never interrupted.
 * @throws UserError `train/diverged` after three roll-backs; what was saved last stays good.
 */
export async function train(host: LoopHost, options: TrainOptions): Promise<TrainSummary> {
  const runners = options.stages.map((stage) => new StageRunner(stage, options, () => host.now()));
  try {
    return await trainAll(runners, host, options);
  } finally {
    await Promise.all(runners.map((runner) => runner.dispose()));
  }
}

async function trainAll(
  runners: readonly StageRunner[],
  host: LoopHost,
  options: TrainOptions,
): Promise<TrainSummary> {
  const { stages, images, time, saveSeconds = 60, given = new Map() } = options;
  const { place, signal, previews = [] } = host;
  const now = () => host.now();
  const report = async (event: TrainEvent) => host.tell?.(event);
  const kept = { scores: options.heldOut !== undefined, previews: previews.length > 0 };
  const keeper = time && createTimekeeper(stages, time, now, kept);
  let paces: Readonly<Record<string, Pace>> = Object.fromEntries(
    stages.map(({ name }) => [name, options.paces?.[name] ?? (time ? [] : evenPace(images[name]!))]),
  );
  let rollbacks = options.rollbacks ?? [];
  /** Those that have been told of. */
  let told = 0;
  let savedAt: number | undefined;

  const pause = slices();
  const restore = async (): Promise<Progress | undefined> => {
    const saved = await host.load();
    if (saved === undefined) return undefined;
    const counters = parseProgress(saved.progress);
    for (const runner of runners) {
      const progress = counters.stages[runner.stage.name];
      if (progress !== undefined) await inSlices(runner.restoring(saved.arrays, progress), pause);
      else if (runner.stage.after !== undefined) await runner.reset();
      else
        throw new UserError(
          "train/mismatch",
          `run "${place}": its checkpoint has no stage "${runner.stage.name}". It was made by another preset or version; choose another --out.`,
        );
    }
    return counters;
  };
  const seen = () => runners.reduce((total, { progress }) => total + progress.imagesSeen, 0);
  const arrays = async () => new Map((await Promise.all(runners.map((runner) => runner.arrays()))).flat());
  /** Begins all stages that need no other. */
  const begin = async () => {
    for (const runner of runners) {
      if (runner.stage.after === undefined) runner.begin(given);
      await pause();
    }
  };
  /** Whether another stage has begun from this one. */
  const isClosed = ({ stage: { name } }: StageRunner) =>
    runners.some((other) => other.hasBegun && other.stage.after?.includes(name) === true);
  const save = async () => {
    const began = now();
    const happened = rollbacksBy(rollbacks, imagesSeen());
    const counters: Progress = {
      stages: Object.fromEntries(
        runners.filter(({ hasBegun }) => hasBegun).map(({ stage, progress }) => [stage.name, progress]),
      ),
      lrScale: rollbacks[happened - 1]?.lrScale ?? 1,
      rollbacks: happened,
    };
    await host.save({ arrays: await arrays(), progress: JSON.stringify(counters) });
    savedAt = seen();
    await report({ kind: "saved", imagesSeen: seen(), used: keeper?.used() });
    keeper?.did("save", now() - began);
  };
  const fraction = (runner: StageRunner) =>
    isClosed(runner) ? 1 : progressAt(paces[runner.stage.name]!, runner.progress.imagesSeen);
  const isReady = ({ stage: { after = [] } }: StageRunner) =>
    runners.every((other) => !after.includes(other.stage.name) || fraction(other) >= 1);
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
    const begunAgain = runners.map((runner) => {
      const { name } = runner.stage;
      if (isClosed(runner)) return [name, paces[name]!] as const;
      const n = runner.progress.imagesSeen;
      const until = paceUntil(paces[name]!, n);
      if (keeper !== undefined)
        return [name, n > 0 ? [...until, keeper.extend(name, at)] : paces[name]!] as const;
      const total = images[name]!;
      const same = plannedImages(paces[name]!) === total;
      return [name, same ? paces[name]! : [...until, [n, total, Math.min(1, n / total)] as const]] as const;
    });
    return Object.fromEntries(begunAgain);
  };

  /** Tells of the roll-backs of the training that is followed, when their places are reached. */
  const tellFollowed = async () => {
    for (const happened = rollbacksBy(rollbacks, imagesSeen()); told < happened; told++) {
      const { stage, step, lrScale } = rollbacks[told]!;
      const left = MAX_ROLLBACKS - told - 1;
      const progress = imagesSeen();
      await report({ kind: "rollback", stage, step, lrScale, left, progress, rollbacks, followed: true });
    }
  };

  const saved = await restore();
  if (saved === undefined) {
    await begin();
    await tellFollowed();
  } else {
    savedAt = seen();
    rollbacks = withForgotten(rollbacks, saved, imagesSeen());
    told = rollbacksBy(rollbacks, imagesSeen());
    await report({ kind: "resumed", progress: imagesSeen() });
  }
  await forgetLaterPlans();
  if (time === undefined || time.extended) await setPaces(extended());

  let lastSave = now();
  let dataMs = 0;
  let noiseMs = 0;
  let totalMs = 0;
  let scoreMs = 0;
  let previewsReached = previews.filter(reached).length;
  for (
    let runner = next(runners.filter(isReady), fraction);
    runner !== undefined && !stopped();
    runner = next(runners.filter(isReady), fraction)
  ) {
    const { stage } = runner;
    if (!runner.hasBegun) {
      runner.begin(new Map([...given, ...(await arrays())]));
      await Promise.all(runners.filter(isClosed).map((each) => each.close()));
    }
    const happened = rollbacksBy(rollbacks, imagesSeen());
    const lrScale = lrScaleAt(rollbacks, stage.name, runner.progress.imagesSeen);
    const outcome = await runner.step(paces[stage.name]!, lrScale);
    keeper?.stepped(stage.name, outcome.stepMs);
    noteCompiling(runner, outcome.compileMs);
    const knot = keeper?.plan(stage.name, position());
    if (knot !== undefined) await setPaces({ ...paces, [stage.name]: [...paces[stage.name]!, knot] });
    const last = runners.every((each) => fraction(each) >= 1) || stopped();
    const due = last || now() - lastSave > 1000 * saveSeconds;
    // A step's losses tell of the parameters before it: what is to be saved is looked at itself.
    if (
      !Object.values(outcome.metrics).every(Number.isFinite) ||
      (due && !(await allFinite(await arrays())))
    ) {
      const step = runner.progress.step;
      if (happened >= MAX_ROLLBACKS)
        throw new UserError(
          "train/diverged",
          `training diverged in stage "${stage.name}" at step ${step}, the ${happened + 1}th time. The last good state is kept in ${place}; start another run with a lower --lr.`,
        );
      if ((await restore()) === undefined) {
        for (const each of runners) await each.reset();
        await begin();
      }
      const progress = imagesSeen();
      const rollback = { stage: stage.name, step, images: progress, lrScale: lrScale / 2 };
      rollbacks = withRollback(rollbacks, happened, rollback);
      told = rollbacks.length;
      await report({
        kind: "rollback",
        ...{ stage: stage.name, step, lrScale: lrScale / 2, left: MAX_ROLLBACKS - told },
        ...{ progress, rollbacks, followed: false },
      });
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
    await tellFollowed();
    const reachedNow = previews.filter(reached).length;
    if (reachedNow > previewsReached) {
      previewsReached = reachedNow;
      const began = now();
      if (last || keeper?.affordsPreview() !== false) {
        await host.preview?.(await arrays(), done());
        keeper?.did("preview", now() - began);
      }
    }
    if (due) {
      await save();
      lastSave = now();
    }
  }
  // Stopped before the first step, or while the last event was handled.
  if (savedAt !== seen() && (await allFinite(await arrays()))) await save();
  return {
    finished: runners.every((runner) => fraction(runner) >= 1),
    progress: Object.fromEntries(runners.map((runner) => [runner.stage.name, runner.progress])),
    dataShare: totalMs === 0 ? 0 : dataMs / totalMs,
    noiseShare: totalMs === 0 ? 0 : noiseMs / totalMs,
    scoringShare: totalMs === 0 ? 0 : scoreMs / totalMs,
  };
}

/**
 * The roll-backs with those that a checkpoint counts and that were not kept, as by versions that did not: their places are
 * lost, and their factor holds from here on.
 */
function withForgotten(
  rollbacks: readonly Rollback[],
  { stages, lrScale, rollbacks: counted }: Progress,
  images: Readonly<Record<string, number>>,
): readonly Rollback[] {
  const known = rollbacksBy(rollbacks, images);
  const forgotten = Math.max(0, Math.min(counted, MAX_ROLLBACKS) - known);
  const [stage, { step }] = Object.entries(stages)[0]!;
  return [
    ...rollbacks.slice(0, known),
    ...Array<Rollback>(forgotten).fill({ stage, step, images, lrScale }),
    ...rollbacks.slice(known),
  ];
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

async function allFinite(tensors: ReadonlyMap<string, NamedArray>): Promise<boolean> {
  const pause = slices();
  for (const { data } of tensors.values()) {
    if (!data.every(Number.isFinite)) return false;
    await pause();
  }
  return true;
}

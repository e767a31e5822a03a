/**
 * @module Keeps a training within the time asked for: a clock that is read as it goes, and plans that follow it. Stages
 * share the time, not the steps, as their shares say; what none of them spends (opening data, compiling, saving, previews)
 * is paid by all. What is decided are knots of a pace; nothing else depends on the clock.
 */
import type { Stage } from "../systems/stage.ts";
import { type Knot, type Pace, plannedImages, progressAt } from "./pace.ts";

/** Seconds of work, by stage and `other`. */
export type SecondsUsed = Readonly<Record<string, number>>;

/** The time of a training, and how much of it is gone. */
export interface TimeBudget {
  /** Seconds asked for, from the first start of the run on, pauses between processes left out. */
  readonly seconds: number;
  /** What earlier processes used. */
  readonly used: SecondsUsed;
  /** When this process began to work on the run, by the clock of the loop's host. */
  readonly began: number;
  /** The time asked for has grown since the run was last at work. */
  readonly extended: boolean;
}

/** How far everything is when a plan is made. */
export interface Position {
  readonly seen: Readonly<Record<string, number>>;
  readonly paces: Readonly<Record<string, Pace>>;
}

/** What takes time besides steps, and is looked ahead for. */
type Chore = "save" | "preview";

/** A clock that plans. */
export interface Timekeeper {
  /** A step of `stage` took so long, compiling left out. */
  stepped(stage: string, ms: number): void;
  /** A score of `stage` took so long, compiling left out. */
  scored(stage: string, ms: number): void;
  /** A program of `stage` was compiled so long; `awaitsJudge`: that of its scores is still to come. */
  compiled(stage: string, ms: number, awaitsJudge: boolean): void;
  /** Something took so long that no stage pays for alone. */
  did(chore: Chore, ms: number): void;
  /** What the stage should do from now on, where that differs from its pace: never for a stage that is done. */
  plan(stage: string, position: Position): Knot | undefined;
  /** The stage begins again at the progress that it has in the longer time. */
  extend(stage: string, position: Position): Knot;
  /** Whether there is time for a preview on the way; the last one is always drawn. */
  affordsPreview(): boolean;
  /** Plans are made anew at the next step: the training went back. */
  wentBack(): void;
  used(): SecondsUsed;
}

/** Plans are made at least every so much of a stage's time, ... */
const PLAN_EVERY = 0.02;
/** ... and when this fraction of what is left to do, or of what was done since the start, has passed. */
const NEAR_ENDS = 0.25;
/** A plan that changes the steps that are left by less is not worth a knot. */
const WORTH = 0.02;
/** Speed is the mean over this fraction of a stage's time, at least this many steps. */
const RECENT = 0.03;
const RECENT_STEPS = 8;
/** Previews on the way take this fraction of the time at most; where one takes longer, there are fewer. */
const PREVIEWS = 0.1;
/** The program of scores has no backward pass: it compiles in this fraction of another's time. */
const JUDGE = 0.4;
/** A step that took so many times as long as usual, and this long, is a machine that slept: not time at work. */
const PAUSE_FACTOR = 20;
const PAUSE_MS = 10_000;

/** No step is shorter, whatever a coarse clock says. */
const SHORTEST_MS = 1e-3;

/** What is known of one stage's time. */
interface StageClock {
  readonly stage: Stage;
  /** Milliseconds before this process, and in all. */
  readonly before: number;
  used: number;
  /** Milliseconds of recent steps, and their sum; the first step is set apart, for it is slower. */
  readonly recent: number[];
  recentMs: number;
  first: number | undefined;
  steps: number;
  /** Milliseconds that compiling the program of scores will take; 0 once that is done. */
  judgeMs: number;
  scoreMs: number;
  lastScoreMs: number | undefined;
  /** Milliseconds used when the last plan was made. */
  plannedAt: number | undefined;
}

/** Starts to plan by the clock `now`, in milliseconds. `scores` and `previews` tell whether stages are scored, and whether the end is drawn. */
export function createTimekeeper(
  stages: readonly Stage[],
  budget: TimeBudget,
  now: () => number,
  { scores, previews }: { readonly scores: boolean; readonly previews: boolean },
): Timekeeper {
  const { began } = budget;
  const seconds = (name: string) => budget.used[name] ?? 0;
  const clocks = new Map(
    stages.map((stage): [string, StageClock] => [
      stage.name,
      {
        stage,
        before: 1000 * seconds(stage.name),
        used: 1000 * seconds(stage.name),
        recent: [],
        recentMs: 0,
        first: undefined,
        steps: 0,
        judgeMs: 0,
        scoreMs: 0,
        lastScoreMs: undefined,
        plannedAt: undefined,
      },
    ]),
  );
  const all = [...clocks.values()];
  const shares = sum(stages.map(({ share }) => share));
  const usedBefore = sum(all.map(({ before }) => before));
  const lastly = { save: 0, preview: 0 };
  let previewMs = 0;
  let paused = 0;

  const total = 1000 * budget.seconds;
  /** Spent by no stage, up to now. */
  const other = () =>
    1000 * seconds("other") + now() - began - paused - (sum(all.map(({ used }) => used)) - usedBefore);
  /** Milliseconds for all stages together: all but what others took, and what is sure to come at the end. */
  const forStages = (position: Position) =>
    total -
    other() -
    lastly.save -
    (previews ? lastly.preview : 0) -
    sum(all.map((clock) => (isOver(clock, position) ? 0 : clock.judgeMs)));
  const shareOf = (clock: StageClock, position: Position) =>
    (clock.stage.share / shares) * forStages(position);
  const isOver = ({ stage: { name } }: StageClock, { seen, paces }: Position) =>
    progressAt(paces[name]!, seen[name]!) >= 1;
  /** Every stage is scored once more when it ends. */
  const lastScore = (clock: StageClock) =>
    scores && clock.stage.score !== undefined ? (clock.lastScoreMs ?? meanStep(clock)) : 0;

  /** Milliseconds for further steps of a stage. What other stages took too much or left is shared by those that go on. */
  const leftFor = (clock: StageClock, position: Position): number => {
    const open = all.filter((each) => each === clock || !isOver(each, position));
    const owed = (each: StageClock) => Math.max(0, shareOf(each, position) - each.used - lastScore(each));
    const owedToAll = sum(open.map(owed));
    const part =
      owedToAll > 0 ? owed(clock) / owedToAll : clock.stage.share / sum(open.map(({ stage }) => stage.share));
    const left = forStages(position) - sum(all.map(({ used }) => used)) - sum(open.map(lastScore));
    return Math.max(0, left * part);
  };
  /** Milliseconds of a step lately, with its part of the scores; undefined when it is too early to tell. */
  const stepMs = (clock: StageClock, left: number): number | undefined => {
    const scored = clock.steps === 0 ? 0 : clock.scoreMs / clock.steps;
    if (clock.recent.length > 0) return Math.max(meanStep(clock) + scored, SHORTEST_MS);
    const { first } = clock;
    // The first step touches everything for the first time: one more tells better, where there is time for it.
    return first === undefined || first < NEAR_ENDS * left
      ? undefined
      : Math.max(first + scored, SHORTEST_MS);
  };
  /** The time at work of something that took `ms`. */
  const atWork = (ms: number, usual: number | undefined): number => {
    if (usual === undefined || ms < Math.max(PAUSE_MS, PAUSE_FACTOR * usual)) return ms;
    paused += ms - usual;
    return usual;
  };
  const clockOf = (name: string): StageClock => clocks.get(name)!;

  return {
    stepped(name, ms) {
      const clock = clockOf(name);
      const took = atWork(ms, clock.recent.length < 3 ? undefined : meanStep(clock));
      clock.used += took;
      if (clock.steps++ === 0) clock.first = took;
      else {
        clock.recent.push(took);
        clock.recentMs += took;
      }
      const window = RECENT * total * (clock.stage.share / shares);
      while (clock.recent.length > RECENT_STEPS && clock.recentMs - clock.recent[0]! > window)
        clock.recentMs -= clock.recent.shift()!;
    },
    scored(name, ms) {
      const clock = clockOf(name);
      const took = atWork(ms, clock.lastScoreMs);
      clock.used += took;
      clock.scoreMs += took;
      clock.lastScoreMs = took;
    },
    compiled(name, ms, awaitsJudge) {
      clockOf(name).judgeMs = awaitsJudge ? JUDGE * ms : 0;
    },
    did(chore, ms) {
      lastly[chore] = ms;
      if (chore === "preview") previewMs += ms;
    },
    affordsPreview: () => previewMs + lastly.preview <= PREVIEWS * total,
    plan(name, position) {
      const clock = clockOf(name);
      const { paces, seen } = position;
      const [pace, images] = [paces[name]!, seen[name]!];
      if (isOver(clock, position)) return undefined;
      const left = leftFor(clock, position);
      const ms = stepMs(clock, left);
      if (ms === undefined) return undefined;
      const { batch } = clock.stage;
      const planned = plannedImages(pace);
      const steps = planned === undefined ? undefined : Math.ceil((planned - images) / batch);
      if (steps !== undefined && clock.plannedAt !== undefined) {
        const patience = Math.min(
          PLAN_EVERY * shareOf(clock, position),
          NEAR_ENDS * left,
          NEAR_ENDS * steps * ms,
          NEAR_ENDS * (clock.used - clock.before),
        );
        if (clock.used - clock.plannedAt < patience) return undefined;
      }
      clock.plannedAt = clock.used;
      const wanted = Math.round(left / ms);
      if (steps !== undefined && Math.abs(wanted - steps) < Math.max(1, WORTH * steps)) return undefined;
      return [images, images + wanted * batch];
    },
    extend(name, position) {
      const clock = clockOf(name);
      const images = position.seen[name]!;
      const { batch } = clock.stage;
      const used = Math.max(clock.used, 1);
      const share = Math.max(shareOf(clock, position), used);
      // At the mean speed so far, until this process knows better.
      const steps = Math.round((share - used) / ((used / images) * batch));
      const progress = Math.min(used / share, progressAt(position.paces[name]!, images));
      return [images, images + Math.max(1, steps) * batch, progress];
    },
    wentBack() {
      for (const clock of all) clock.plannedAt = undefined;
    },
    used: () =>
      Object.fromEntries([
        ...all.map(({ stage, used }) => [stage.name, rounded(used)] as const),
        ["other", rounded(Math.max(0, other()))],
      ]),
  };
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const meanStep = ({ recent, recentMs }: StageClock): number =>
  recent.length === 0 ? 0 : recentMs / recent.length;
/** Seconds, to the millisecond. */
const rounded = (ms: number): number => Math.round(ms) / 1000;

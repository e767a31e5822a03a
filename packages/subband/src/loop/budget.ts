/**
 * @module What a run is to be trained for: images, the pace of another run, or time; of a run that exists together with what
 * it has used of it.
 */
import type { Stage } from "../systems/stage.ts";
import { evenPace, type Pace, plannedTotals } from "./pace.ts";
import type { Rollback } from "./rollbacks.ts";
import type { SecondsUsed, TimeBudget } from "./time-budget.ts";

/** For how long a run is trained. */
export interface Budget {
  /** Images that each stage sees, as planned last; without a stage that is not planned yet. */
  readonly images: Readonly<Record<string, number>>;
  /** How each stage gets there; absent where it is evenly, and in runs of before there was a clock. */
  readonly pace?: Readonly<Record<string, Pace>> | undefined;
  /** Where it went back to after its numbers had stopped being finite; absent where they never did. */
  readonly rollbacks?: readonly Rollback[] | undefined;
  /** The budget of time; absent where images were asked for. */
  readonly minutes?: number | undefined;
}

/** What the clock has decided of a run: whoever follows it, on the same data with the same seed, comes to the same state. */
export interface Course {
  readonly pace: Readonly<Record<string, Pace>>;
  readonly rollbacks?: readonly Rollback[] | undefined;
}

/** What is asked of a new run, in the order of precedence; a time where nothing else is. */
export interface AskedBudget {
  readonly images?: number | undefined;
  /** Another run, which is followed. */
  readonly course?: Course | undefined;
}

/** The budget of a new run of these stages; `minutes` where neither images nor a pace are asked for. */
export function newBudget(
  { images, course }: AskedBudget,
  minutes: number | undefined,
  stages: readonly Stage[],
): Budget {
  const each = <T>(value: T) => Object.fromEntries(stages.map(({ name }) => [name, value]));
  if (course !== undefined) return { images: plannedTotals(course.pace), ...course };
  if (images !== undefined) return { images: each(images) };
  return { images: {}, pace: each<Pace>([]), minutes };
}

/** The paces of a run, also of one that goes evenly. */
export function pacesOf({ pace, images }: Budget): Readonly<Record<string, Pace>> {
  return pace ?? Object.fromEntries(Object.entries(images).map(([stage, n]) => [stage, evenPace(n)]));
}

/** A run as it was found. */
export interface KnownRun {
  readonly config: Budget;
  readonly imagesSeen: Readonly<Record<string, number>>;
  readonly secondsUsed?: SecondsUsed | undefined;
}

/**
 * The time that a run has, or undefined where it counts images: as asked, or because it was begun before there was a clock,
 * and is not extended now. `known` is the run as it was found, `began` the time on the host's clock at which work began.
 */
export function timeBudget(
  config: Budget,
  known: KnownRun | undefined,
  stages: readonly Stage[],
  began: number,
): TimeBudget | undefined {
  const { minutes, pace } = config;
  const extended = known?.config.minutes !== undefined && known.config.minutes !== minutes;
  if (minutes === undefined || (pace === undefined && !extended)) return undefined;
  const used = known?.secondsUsed ?? (pace === undefined && known ? usedByCount(known, stages) : {});
  return { seconds: 60 * minutes, used, began, extended };
}

/** What a run without a clock has used of its minutes, had they been right. */
function usedByCount({ config, imagesSeen }: KnownRun, stages: readonly Stage[]): SecondsUsed {
  const done = (stage: string) => Math.min(1, (imagesSeen[stage] ?? 0) / (config.images[stage] ?? 1));
  return Object.fromEntries(
    stages.map(({ name, share }) => [name, 60 * (config.minutes ?? 0) * share * done(name)]),
  );
}

/**
 * @module What a run is to be trained for, as the trainer takes it: images, the pace of another run, or time; of a run that
 * exists together with what it has used of it.
 */
import { UserError } from "onnxgrad";
import type { Stage } from "../systems/stage.ts";
import { evenPace, type Pace, plannedTotals } from "./pace.ts";
import { RunConfig } from "./run-config.ts";
import { readRun, type RunRecord } from "./run-directory.ts";
import type { SecondsUsed, TimeBudget } from "./time-budget.ts";

/** The part of a configuration that says for how long. */
export type Budget = Pick<RunConfig, "images" | "pace" | "minutes">;

/** What is asked of a new run, in the order of precedence; a time where nothing else is. */
interface AskedBudget {
  readonly images?: number | undefined;
  /** A run whose pace is followed. */
  readonly replay?: string | undefined;
}

/**
 * The budget of a new run of these stages; `minutes` is what its configuration has.
 * @throws UserError `train/replay`, and those of `readRun`.
 */
export function newBudget(
  { images, replay }: AskedBudget,
  minutes: number | undefined,
  stages: readonly Stage[],
): Budget {
  const each = <T>(value: T) => Object.fromEntries(stages.map(({ name }) => [name, value]));
  if (replay !== undefined) {
    const pace = paceOfRun(replay, stages);
    return { images: plannedTotals(pace), pace };
  }
  if (images !== undefined) return { images: each(images) };
  return { images: {}, pace: each<Pace>([]), minutes };
}

/**
 * The pace of the run `dir`, for a run of these stages to follow: on the same data with the same seed it ends in the same
 * state, whatever the clock said.
 * @throws UserError `train/replay` for a run of other stages, or one that has no plan yet; those of `readRun`.
 */
export function paceOfRun(dir: string, stages: readonly Stage[]): Readonly<Record<string, Pace>> {
  const { config } = readRun(dir, RunConfig);
  const pace = pacesOf(config);
  const names = stages.map(({ name }) => name);
  if (Object.keys(pace).sort().join() !== [...names].sort().join())
    throw new UserError(
      "train/replay",
      `--images: run "${dir}" trains ${Object.keys(pace).join(" and ")}, not ${names.join(" and ")}. Name a run of the same --preset, or give a number.`,
    );
  const unplanned = names.find((name) => pace[name]!.length === 0);
  if (unplanned !== undefined)
    throw new UserError(
      "train/replay",
      `--images: run "${dir}" has not begun with ${unplanned}. Train it first, or give a number.`,
    );
  return pace;
}

/** The paces of a run, also of one that goes evenly. */
export function pacesOf({ pace, images }: Budget): Readonly<Record<string, Pace>> {
  return pace ?? Object.fromEntries(Object.entries(images).map(([stage, n]) => [stage, evenPace(n)]));
}

/**
 * The time that a run has, or undefined where it counts images: as asked, or because it was begun before there was a clock,
 * and is not extended now. `known` is the run as it was found.
 */
export function timeBudget(
  config: Budget,
  known: RunRecord<RunConfig> | undefined,
  stages: readonly Stage[],
  { began, now }: Pick<TimeBudget, "began" | "now">,
): TimeBudget | undefined {
  const { minutes, pace } = config;
  const extended = known?.config.minutes !== undefined && known.config.minutes !== minutes;
  if (minutes === undefined || (pace === undefined && !extended)) return undefined;
  const used = known?.secondsUsed ?? (pace === undefined && known ? usedByCount(known, stages) : {});
  return { seconds: 60 * minutes, used, began, now, extended };
}

/** What a run without a clock has used of its minutes, had they been right. */
function usedByCount({ config, imagesSeen }: RunRecord<RunConfig>, stages: readonly Stage[]): SecondsUsed {
  const done = (stage: string) => Math.min(1, (imagesSeen[stage] ?? 0) / (config.images[stage] ?? 1));
  return Object.fromEntries(
    stages.map(({ name, share }) => [name, 60 * (config.minutes ?? 0) * share * done(name)]),
  );
}

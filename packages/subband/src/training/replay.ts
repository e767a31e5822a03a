/** @module The course of a run, for another to follow. */
import { UserError } from "onnxgrad";
import { type Course, pacesOf } from "../loop/budget.ts";
import { listed } from "../systems/options.ts";
import type { Stage } from "../systems/stage.ts";
import { readRunFile } from "./run-file.ts";

/**
 * The pace and the roll-backs of the run `dir`, for a run of these stages to follow: on the same data with the same seed it
 * ends in the same state, whatever the clock said.
 * @throws UserError `train/replay` for a run of other stages, or one that has no plan yet; those of `readRunFile`.
 */
export function courseOfRun(dir: string, stages: readonly Stage[]): Course {
  const { config } = readRunFile(dir);
  const pace = pacesOf(config);
  const names = stages.map(({ name }) => name);
  if (Object.keys(pace).sort().join() !== [...names].sort().join())
    throw new UserError(
      "train/replay",
      `--images: run "${dir}" trains ${listed(Object.keys(pace))}, not ${listed(names)}. Name a run of the same --preset, or give a number.`,
    );
  const unplanned = names.find((name) => pace[name]!.length === 0);
  if (unplanned !== undefined)
    throw new UserError(
      "train/replay",
      `--images: run "${dir}" has not begun with ${unplanned}. Train it first, or give a number.`,
    );
  return { pace, ...(config.rollbacks && { rollbacks: config.rollbacks }) };
}

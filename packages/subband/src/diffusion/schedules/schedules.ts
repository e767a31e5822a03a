/** @module The noise schedules by name, with their published default settings. */
import { unknownName } from "onnxgrad";
import { ddpmSchedule } from "./ddpm-discrete.ts";
import { edmSchedule } from "./edm.ts";
import { flowSchedule } from "./flow.ts";
import { ornsteinUhlenbeckSchedule } from "./ornstein-uhlenbeck.ts";
import type { Schedule } from "./schedule.ts";
import { veGeometricSchedule } from "./ve-geometric.ts";
import { vpCosineSchedule } from "./vp-cosine.ts";
import { vpLinearSchedule } from "./vp-linear.ts";

/** Name of a schedule. */
export type ScheduleName =
  "edm" | "vp-linear" | "vp-cosine" | "ve-geometric" | "ddpm" | "ornstein-uhlenbeck" | "flow";

/** Every schedule with its default settings. */
export const schedules: Readonly<Record<ScheduleName, () => Schedule>> = {
  edm: edmSchedule,
  "vp-linear": vpLinearSchedule,
  "vp-cosine": vpCosineSchedule,
  "ve-geometric": veGeometricSchedule,
  ddpm: ddpmSchedule,
  "ornstein-uhlenbeck": ornsteinUhlenbeckSchedule,
  flow: flowSchedule,
};

/**
 * The schedule called `name`, with default settings.
 * @throws UserError `unknown/schedule` with a suggestion.
 */
export function scheduleNamed(name: string): Schedule {
  if (!Object.hasOwn(schedules, name)) throw unknownName("schedule", name, Object.keys(schedules));
  return schedules[name as ScheduleName]();
}

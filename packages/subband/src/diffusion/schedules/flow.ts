/**
 * @module The straight path of flow matching from data to noise, (1 - t) x0 + t n (Lipman et al. 2023; rectified flow, Liu
 * et al. 2023), kept away from its infinite end.
 */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link flowSchedule}. */
export interface FlowSettings {
  /** Time of the greatest level, below 1; default 0.999 (sigma 999). */
  readonly timeMax?: number;
}

/** The flow schedule: `sigma(t) = t / (1 - t)`, the noise of the path relative to its data. Steps are even in t. */
export function flowSchedule(settings: FlowSettings = {}): Schedule {
  const { timeMax = 0.999 } = settings;
  const sigma = (t: number): number => t / (1 - t);
  const time = (level: number): number => level / (1 + level);
  const timeRange = [0, timeMax] as const;
  return { name: "flow", timeRange, sigma, time, sigmas: (steps) => evenTimes({ sigma, timeRange }, steps) };
}

/** @module The variance-exploding schedule whose levels fall geometrically (Song et al. 2021, eq. 30-31). */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link veGeometricSchedule}. */
export interface VeGeometricSettings {
  /** Least level before 0; default 0.01 (for data in [0, 1] or [-1, 1]). */
  readonly sigmaMin?: number;
  /** Greatest level; default 50. Should be near the greatest distance between two data points. */
  readonly sigmaMax?: number;
}

/** The geometric VE schedule: `sigma(t) = min (max / min)^t`. */
export function veGeometricSchedule(settings: VeGeometricSettings = {}): Schedule {
  const { sigmaMin = 0.01, sigmaMax = 50 } = settings;
  const ratio = sigmaMax / sigmaMin;
  const sigma = (t: number): number => sigmaMin * ratio ** t;
  const time = (level: number): number => Math.log(level / sigmaMin) / Math.log(ratio);
  const timeRange = [0, 1] as const;
  return {
    name: "ve-geometric",
    timeRange,
    sigma,
    time,
    sigmas: (steps) => evenTimes({ sigma, timeRange }, steps),
  };
}

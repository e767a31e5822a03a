/** @module The rho schedule of EDM (Karras et al. 2022, eq. 5): sigma^(1/rho) falls evenly. The default of the project. */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link edmSchedule}. */
export interface EdmScheduleSettings {
  /** Least level before 0; default 0.002. */
  readonly sigmaMin?: number;
  /** Greatest level, where sampling starts; default 80. */
  readonly sigmaMax?: number;
  /** Above 1 puts more steps at low noise; default 7. */
  readonly rho?: number;
}

/** The EDM schedule: `sigma(t) = (min^(1/rho) + t (max^(1/rho) - min^(1/rho)))^rho` (Karras et al. 2022, eq. 5). */
export function edmSchedule(settings: EdmScheduleSettings = {}): Schedule {
  const { sigmaMin = 0.002, sigmaMax = 80, rho = 7 } = settings;
  const low = sigmaMin ** (1 / rho);
  const span = sigmaMax ** (1 / rho) - low;
  const sigma = (t: number): number => (low + t * span) ** rho;
  const time = (level: number): number => (level ** (1 / rho) - low) / span;
  const timeRange = [0, 1] as const;
  return { name: "edm", timeRange, sigma, time, sigmas: (steps) => evenTimes({ sigma, timeRange }, steps) };
}

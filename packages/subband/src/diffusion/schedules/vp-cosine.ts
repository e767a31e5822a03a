/** @module The variance-preserving cosine schedule (Nichol & Dhariwal 2021, eq. 17), kept away from its infinite end. */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link vpCosineSchedule}. */
export interface VpCosineSettings {
  /** The offset s of eq. 17, which keeps the first betas from vanishing; default 0.008. */
  readonly offset?: number;
  /** Time of the greatest level; default 0.9946 (sigma 119), since sigma is infinite at 1. */
  readonly timeMax?: number;
  /** Time of the last level before 0; default 1e-3. */
  readonly timeMin?: number;
}

/**
 * The cosine VP schedule: `abar(t) = cos^2(a(t)) / cos^2(a(0))` with `a(t) = (t + s) / (1 + s) pi / 2`
 * (Nichol & Dhariwal 2021, eq. 17). `sigma(0)` is 0; times run to `timeMax` only.
 */
export function vpCosineSchedule(settings: VpCosineSettings = {}): Schedule {
  const { offset = 0.008, timeMax = 0.9946, timeMin = 1e-3 } = settings;
  const angle = (t: number): number => ((t + offset) / (1 + offset)) * (Math.PI / 2);
  const start = angle(0);
  const sigma = (t: number): number => {
    const a = angle(t);
    // cos^2(start) - cos^2(a) = sin(a + start) sin(a - start): no cancellation near time 0.
    return Math.sqrt(Math.max(0, Math.sin(a + start) * Math.sin(a - start))) / Math.cos(a);
  };
  const time = (level: number): number =>
    (Math.acos(Math.cos(start) / Math.hypot(1, level)) / (Math.PI / 2)) * (1 + offset) - offset;
  const timeRange = [timeMin, timeMax] as const;
  return {
    name: "vp-cosine",
    timeRange,
    sigma,
    time,
    sigmas: (steps) => evenTimes({ sigma, timeRange }, steps),
  };
}

/** @module The continuous variance-preserving schedule whose beta grows linearly in time (Song et al. 2021, eq. 32-33). */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link vpLinearSchedule}. */
export interface VpLinearSettings {
  /** beta at time 0; default 0.1. */
  readonly betaMin?: number;
  /** beta at time 1; default 20. */
  readonly betaMax?: number;
  /** Time of the last level before 0; default 1e-3 (Karras et al. 2022, table 1). */
  readonly timeMin?: number;
}

/**
 * The linear VP schedule: `-ln abar(t) = betaMin t + (betaMax - betaMin) t^2 / 2`, so
 * `sigma(t) = sqrt(exp(-ln abar) - 1)` (Karras et al. 2022, table 1, column VP).
 */
export function vpLinearSchedule(settings: VpLinearSettings = {}): Schedule {
  const { betaMin = 0.1, betaMax = 20, timeMin = 1e-3 } = settings;
  const slope = betaMax - betaMin;
  // expm1 and log1p keep full precision where sigma is small.
  const sigma = (t: number): number => Math.sqrt(Math.expm1(betaMin * t + 0.5 * slope * t * t));
  const time = (level: number): number => {
    const exponent = Math.log1p(level * level);
    // The root of the quadratic, rationalised: no cancellation at small levels, right for slope 0 too.
    return (2 * exponent) / (betaMin + Math.sqrt(betaMin * betaMin + 2 * slope * exponent));
  };
  const timeRange = [timeMin, 1] as const;
  return {
    name: "vp-linear",
    timeRange,
    sigma,
    time,
    sigmas: (steps) => evenTimes({ sigma, timeRange }, steps),
  };
}

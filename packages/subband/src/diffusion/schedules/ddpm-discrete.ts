/** @module The discrete schedule of DDPM (Ho et al. 2020, section 4): linear betas over T timesteps, respaced for fewer. */
import { sigmaFromAbar } from "../vp.ts";
import { requireSteps, type Schedule } from "./schedule.ts";

/** Settings of {@link ddpmSchedule}. */
export interface DdpmSettings {
  /** beta of the first timestep; default 1e-4. */
  readonly betaMin?: number;
  /** beta of the last timestep; default 2e-2. */
  readonly betaMax?: number;
  /** Number of timesteps T of training; default 1000. */
  readonly timesteps?: number;
}

/** A {@link Schedule} over the integer timesteps 0..T-1 that a discrete network was trained on. */
export interface DiscreteSchedule extends Schedule {
  /** Noise level of each timestep 0..T-1, increasing. */
  readonly levels: Float64Array;
  /** The `steps` integer timesteps kept by respacing, decreasing from T - 1 to 0: one for each level before the final 0. */
  timesteps(steps: number): readonly number[];
}

/**
 * The DDPM schedule: `abar_t = prod (1 - beta_s)` with betas evenly spaced. Time t in [0, 1] stands for timestep
 * `t (T - 1)`, with ln sigma linear between timesteps. Respacing keeps evenly spaced timesteps that include both ends
 * (Nichol & Dhariwal 2021, section 4).
 */
export function ddpmSchedule(settings: DdpmSettings = {}): DiscreteSchedule {
  const { betaMin = 1e-4, betaMax = 2e-2, timesteps: count = 1000 } = settings;
  requireSteps(count);
  const levels = new Float64Array(count);
  let abar = 1;
  for (let t = 0; t < count; t++) {
    abar *= 1 - (betaMin + (betaMax - betaMin) * (count === 1 ? 0 : t / (count - 1)));
    levels[t] = sigmaFromAbar(abar);
  }
  const last = Math.max(1, count - 1);
  const sigma = (t: number): number => {
    const position = t * last;
    const below = Math.max(0, Math.min(Math.floor(position), count - 2));
    const low = levels[below]!;
    return low * ((levels[below + 1] ?? low) / low) ** (position - below);
  };
  const time = (level: number): number => {
    let below = 0;
    while (below < count - 2 && levels[below + 1]! <= level) below++;
    const low = levels[below]!;
    const high = levels[below + 1] ?? low;
    return high === low ? 0 : (below + Math.log(level / low) / Math.log(high / low)) / last;
  };
  const timesteps = (steps: number): readonly number[] => {
    requireSteps(steps, count);
    if (steps === 1) return [count - 1];
    return Array.from({ length: steps }, (_, i) => Math.round((1 - i / (steps - 1)) * (count - 1)));
  };
  const sigmas = (steps: number): readonly number[] => [...timesteps(steps).map((t) => levels[t]!), 0];
  return { name: "ddpm", timeRange: [0, 1], levels, sigma, time, timesteps, sigmas };
}

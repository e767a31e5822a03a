/**
 * @module What a noise schedule is: noise level as an increasing function of time in [0, 1], its inverse, and the
 * decreasing list of levels a sampler walks down. It knows neither samplers nor networks.
 */
import { UserError } from "onnxgrad";

/** A noise schedule in the variance-exploding parameterisation `x = x0 + sigma n`. */
export interface Schedule {
  readonly name: string;
  /** The times between which samplers walk, least first: 0 and 1 unless a published cut-off or an infinite end forbids. */
  readonly timeRange: readonly [number, number];
  /** Noise level at time t in [0, 1], increasing. */
  sigma(t: number): number;
  /** Time of a noise level: the inverse of {@link Schedule.sigma}. */
  time(sigma: number): number;
  /** `steps + 1` strictly decreasing levels from the greatest to 0, for a sampler. `steps` >= 1. */
  sigmas(steps: number): readonly number[];
}

/**
 * `steps` levels at times falling evenly over `timeRange`, then 0; a range that begins at level 0 is walked evenly down to
 * there. One step goes straight from the greatest to 0.
 * @throws UserError `diffusion/steps` unless `steps` is a positive integer.
 */
export function evenTimes(schedule: Pick<Schedule, "sigma" | "timeRange">, steps: number): readonly number[] {
  requireSteps(steps);
  const [least, greatest] = schedule.timeRange;
  const gaps = schedule.sigma(least) === 0 ? steps : steps - 1;
  const time = (i: number): number => (i === 0 ? greatest : greatest + (i / gaps) * (least - greatest));
  return [...Array.from({ length: steps }, (_, i) => schedule.sigma(time(i))), 0];
}

/** @throws UserError `diffusion/steps` unless `steps` is an integer in 1..`most`. */
export function requireSteps(steps: number, most: number = Infinity): void {
  if (Number.isInteger(steps) && steps >= 1 && steps <= most) return;
  const allowed = most === Infinity ? "a positive integer" : `an integer in 1..${most}`;
  throw new UserError(
    "diffusion/steps",
    `steps: ${steps}; expected ${allowed}. Change the number of sampling steps.`,
  );
}

/** @module Learning-rate schedules: factors in [0, 1] as pure functions of progress, fed to a step as a scalar. */

/** Shape of a schedule, in fractions of the training. */
export interface ScheduleOptions {
  /** Fraction over which the rate rises linearly from 0; default 0. */
  readonly warmup?: number;
  /** Fraction at the end over which it falls; default 0 (constant). */
  readonly decay?: number;
  /** Form of the fall; default `cosine`. */
  readonly shape?: "linear" | "cosine";
  /** Factor at the very end; default 0. */
  readonly floor?: number;
}

/** The factor at `progress` in [0, 1]: warm-up, plateau, fall. Values outside are clamped. */
export function scheduleFactor(
  progress: number,
  { warmup = 0, decay = 0, shape = "cosine", floor = 0 }: ScheduleOptions = {},
): number {
  const t = Math.min(Math.max(progress, 0), 1);
  if (t < warmup) return t / warmup;
  if (decay === 0 || t <= 1 - decay) return 1;
  const through = (t - (1 - decay)) / decay;
  const falling = shape === "linear" ? 1 - through : 0.5 * (1 + Math.cos(Math.PI * through));
  return floor + (1 - floor) * falling;
}

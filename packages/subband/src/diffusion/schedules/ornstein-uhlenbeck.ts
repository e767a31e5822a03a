/**
 * @module The Ornstein-Uhlenbeck process dx = -x dt + sqrt(2) dw up to a final time, as WSGM has it (Guth et al. 2022,
 * section 2): x_t = exp(-t) x0 + sqrt(1 - exp(-2 t)) n.
 */
import { evenTimes, type Schedule } from "./schedule.ts";

/** Settings of {@link ornsteinUhlenbeckSchedule}. */
export interface OrnsteinUhlenbeckSettings {
  /** Final time of the process; default 5. */
  readonly timeMax?: number;
  /** Where N steps fall, k = N..0: "uniform" (default), timeMax k / N, or "quadratic", timeMax (k / N)^2. */
  readonly spacing?: "uniform" | "quadratic";
}

/**
 * The schedule `sigma = sqrt(exp(2 s) - 1)` at time s of the process, which is t (or t^2) times its final time. Its
 * variance-preserving state starts, strictly, from N(0, C exp(-2 timeMax) + 1 - exp(-2 timeMax)) for data of covariance C;
 * WSGM starts it from N(0, I), which is `hypot(1, sigma)` times unit noise in the state `x0 + sigma n`.
 */
export function ornsteinUhlenbeckSchedule(settings: OrnsteinUhlenbeckSettings = {}): Schedule {
  const { timeMax = 5, spacing = "uniform" } = settings;
  const power = spacing === "quadratic" ? 2 : 1;
  const sigma = (t: number): number => Math.sqrt(Math.expm1(2 * timeMax * t ** power));
  const time = (level: number): number => (Math.log1p(level * level) / (2 * timeMax)) ** (1 / power);
  const timeRange = [0, 1] as const;
  return {
    name: "ornstein-uhlenbeck",
    timeRange,
    sigma,
    time,
    sigmas: (steps) => evenTimes({ sigma, timeRange }, steps),
  };
}
